"""What somebody else trades in the account, told apart from what is ours.

A venue nets: it holds one position an instrument, whoever has traded it. Fills of orders that are not ours are kept
here until venue and books can be compared. Then they are gone through in order of time: what others hold is reduced
first, then what we hold; whatever opens or adds is theirs. Stops and liquidations that did not fit our position when
they came in are dealt with in the same way: their fill may have overtaken that of our entry, or they protected a
stranger's position. Pure: no clock, no input or output.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from triptych.domain import FillReason, OrderFilled

ZERO: Final = Decimal(0)
CERTAIN_MS: Final = 10_000
"""How long a difference must stay the same before it counts without fills that explain it: lists lag behind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What strangers did to our position.

    Attributes:
        fills: the parts of their fills that made ours smaller.
        unexplained: signed quantity that is missing from ours, with no fill to show for it.
    """

    fills: tuple[OrderFilled, ...] = ()
    unexplained: Decimal = ZERO


@dataclass(slots=True)
class Strangers:
    """Others in the account.

    Attributes:
        pending: by symbol, their fills since books and venue were compared last, and fills of stops nobody knows whose.
        theirs: by symbol, the signed quantity that they held then.
        since: by symbol, all fills since then in order of arrival, ours and those that are pending.
    """

    pending: dict[str, list[OrderFilled]] = field(default_factory=dict)
    theirs: dict[str, Decimal] = field(default_factory=dict)
    since: dict[str, list[OrderFilled]] = field(default_factory=dict)
    _looks: dict[str, tuple[int, tuple[Decimal, Decimal, int]]] = field(default_factory=dict)

    def are_in(self, symbol: str) -> bool:
        """Whether anything of theirs is known in an instrument."""
        return bool(self.pending.get(symbol) or self.theirs.get(symbol))

    def heard(self, fill: OrderFilled) -> None:
        """Keep a fill until it can be said whose it was."""
        self.pending.setdefault(fill.symbol, []).append(fill)

    def forget(self, symbol: str) -> None:
        """All that the venue holds is ours."""
        self.pending.pop(symbol, None)
        self.theirs.pop(symbol, None)
        self._looks.pop(symbol, None)
        self.since.pop(symbol, None)

    def are_none(self, symbol: str, fills: Sequence[OrderFilled], *, ours: Decimal, venue: Decimal) -> bool:
        """Whether all that waits are stops, and all of them ours by what was held when each was filled.

        Arguments as for `judge`.
        """
        if not fills or self.theirs.get(symbol) or any(one.reason is FillReason.ORDER for one in fills):
            return False
        stops = {one.fill_id for one in fills}
        entered = {one.fill_id for one in self.pending.get(symbol, [])} - stops  # by an earlier process
        since = [one for one in self.since.get(symbol, []) if one.fill_id not in entered]
        made = sum((one.side.sign * one.quantity for one in since if one.fill_id not in stops), ZERO)
        return are_all_ours(since, stops, before=ours - made, venue=venue)

    def judge(
        self, symbol: str, fills: Sequence[OrderFilled], *, ours: Decimal, venue: Decimal, now_ms: int
    ) -> Judged | None:
        """What became of our position of `ours` (signed) where the venue holds `venue`; None while it is too early.

        `fills` are those of `pending` that have not been entered by an earlier process.
        """
        fills = sorted(fills, key=lambda one: one.time_ms)
        total = sum((one.side.sign * one.quantity for one in fills), ZERO)
        theirs = self.theirs.get(symbol, ZERO)
        if theirs + ours + total != venue:
            look = ours, venue, len(fills)
            since_ms, before = self._looks.get(symbol, (now_ms, None))
            if before != look:
                since_ms = now_ms
                self._looks[symbol] = now_ms, look
            if now_ms - since_ms < CERTAIN_MS:
                return None
            theirs = venue - ours - total
        self.forget(symbol)
        if ours == venue:  # whatever they did, they have undone it
            return Judged()
        found, parts = ours, list[OrderFilled]()
        for one in fills:
            found, theirs, part = _apply(one, found, theirs)
            if part:
                parts.append(_part(one, part))
        missing = ZERO if found * theirs >= 0 else -found if abs(found) <= abs(theirs) else theirs
        if venue != found + missing:
            self.theirs[symbol] = venue - found - missing
        return Judged(fills=tuple(parts), unexplained=missing)


def are_all_ours(fills: Sequence[OrderFilled], stops: Collection[str], *, before: Decimal, venue: Decimal) -> bool:
    """Whether each stop closed what our fills had made by then, and venue and books agree with all of them.

    While a process is away a stop may close a position, its last order open another and the next stop close that one:
    by sums alone they would look like what a stranger has done and undone.

    Args:
        fills: what was filled since books and venue were compared last, ours and the stops, in order of arrival.
        stops: ids of those of which nobody knows whose they were. before: our position then, signed. venue: it now.
    """
    held = before
    for one in sorted(fills, key=lambda one: one.time_ms):
        change = one.side.sign * one.quantity
        if one.fill_id in stops and not (held * change < 0 and one.quantity <= abs(held)):
            return False
        held += change
    return held == venue


def exits(fills: Sequence[OrderFilled], ours: Decimal) -> tuple[OrderFilled, ...]:
    """The parts of stops and liquidations that made a position of `ours` (signed) smaller, where all of it is ours."""
    parts = []
    for one in sorted(fills, key=lambda one: one.time_ms):
        if one.reason is not FillReason.ORDER:
            ours, _, part = _apply(one, ours, ZERO)
            parts += [_part(one, part)] * bool(part)
    return tuple(parts)


def _apply(fill: OrderFilled, ours: Decimal, theirs: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """What each holds after a stranger's fill, and how much of it made ours smaller."""
    sign, rest = fill.side.sign, fill.quantity
    if theirs * sign < 0:
        part = min(rest, abs(theirs))
        theirs, rest = theirs + sign * part, rest - part
    taken = min(rest, abs(ours)) if ours * sign < 0 else ZERO
    return ours + sign * taken, theirs + sign * (rest - taken), taken


def _part(fill: OrderFilled, quantity: Decimal) -> OrderFilled:
    """So much of a fill, and so much of its fee where a stop of ours has paid it."""
    if fill.reason is FillReason.ORDER:
        return replace(fill, quantity=quantity, reason=FillReason.BY_HAND)
    return replace(fill, quantity=quantity, fee=fill.fee * quantity / fill.quantity)
