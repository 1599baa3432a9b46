"""Orders that limits hold back: told once for each reason, and kept until an entry passes again.

A limit far below what the model wants holds back every entry, whole. Nothing is wrong then, and nothing is traded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from triptych.domain import Command, OrderDenied, SubmitOrder


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldBack:
    """What is held back now.

    Attributes:
        note: told in words what a person should know: severity, topic, text, symbol.
        reasons: by instrument, why its last entry was held back; empty once one has passed.
    """

    note: Callable[[str, str, str, str], None]
    reasons: dict[str, str] = field(default_factory=dict)

    def take(self, records: Iterable[object], sent: Iterable[Command]) -> None:
        """What became of the orders of one decision: of its `records` denials are looked at, and what was sent."""
        for command in sent:
            if isinstance(command, SubmitOrder) and not command.reduce_only:
                self.reasons.pop(command.symbol, None)
        for one in records:
            if not isinstance(one, OrderDenied):
                continue
            before, self.reasons[one.symbol] = self.reasons.get(one.symbol, ""), one.reason
            if _kind(before) != _kind(one.reason):
                self.note("warning", "held back", f"order {one.order_id} was held back: {one.reason}", one.symbol)


def _kind(reason: str) -> str:
    """The reason without its numbers, which differ at every candle."""
    return re.sub(r"[-+]?[0-9][0-9.,]*", "", reason)
