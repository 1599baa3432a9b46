"""From a venue's messages, lost, doubled and out of order as they are, to events that happen once and in order.

Two streams tell of an order: executions say what was filled, reports say where it stands. An order has come to an end
only when a final report is there *and* every fill it speaks of; until then it stays under way, and who asks the venue
again is told which fills are missing. Pure: no clock, no input or output.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from triptych.domain import (
    ExchangeEvent,
    FillReason,
    FundingPaid,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderReport,
    OrderStatus,
    SubmitOrder,
)

ZERO: Final = Decimal(0)
REMEMBERED: Final = 20_000
"""Fills and ended orders kept in mind to recognise repetitions; the journal recognises older ones."""


@dataclass(slots=True)
class _Tracked:
    """One order under way: what was filled by the executions that came in, and the newest report."""

    order: SubmitOrder
    filled: Decimal = ZERO
    report: OrderReport | None = None


class Intake:
    """Turns messages into events, each once."""

    def __init__(self) -> None:
        self._tracked: dict[str, _Tracked] = {}
        self._seen: OrderedDict[str, None] = OrderedDict()

    def track(self, order: SubmitOrder, filled: Decimal = ZERO) -> None:
        """Follow an order that is sent, or that a restart found under way with so much of it filled."""
        self._tracked.setdefault(order.order_id, _Tracked(order=order, filled=filled))

    @property
    def under_way(self) -> tuple[SubmitOrder, ...]:
        """Orders that have not come to an end."""
        return tuple(one.order for one in self._tracked.values())

    def lacks_fills(self, symbol: str) -> bool:
        """Whether a report speaks of fills in this instrument that have not come in."""
        return any(
            one.report is not None and one.report.filled > one.filled
            for one in self._tracked.values()
            if one.order.symbol == symbol
        )

    def on_executions(self, executions: Iterable[OrderFilled | FundingPaid]) -> list[ExchangeEvent]:
        """Events of fills and payments; those seen before give none."""
        events: list[ExchangeEvent] = []
        for one in executions:
            key = one.fill_id if isinstance(one, OrderFilled) else f"funding {one.symbol} {one.time_ms}"
            if not self.is_new(key):
                continue
            events.append(one)
            # A stop's fill may carry the id of the entry that it protects, and is none of its fills.
            if isinstance(one, OrderFilled) and one.reason is FillReason.ORDER and one.order_id in self._tracked:
                tracked = self._tracked[one.order_id]
                tracked.filled += one.quantity
                events.extend(self._end(tracked))
        return events

    def on_report(self, report: OrderReport) -> list[ExchangeEvent]:
        """Events of a report: that an order has ended, if it has. One about a stranger's or ended order gives none."""
        tracked = self._tracked.get(report.order_id)
        if tracked is None:
            return []
        tracked.report = report.newer(tracked.report)
        return self._end(tracked)

    def never_arrived(self, order_id: str, time_ms: int, reason: str) -> list[ExchangeEvent]:
        """The event that ends an order of which it is proven that the venue never had it."""
        tracked = self._tracked.pop(order_id, None)
        if tracked is None:
            return []
        return [OrderRejected(order_id=order_id, symbol=tracked.order.symbol, time_ms=time_ms, reason=reason)]

    def _end(self, tracked: _Tracked) -> list[ExchangeEvent]:
        order, report = tracked.order, tracked.report
        if tracked.filled >= order.quantity:
            del self._tracked[order.order_id]
            return []
        if report is None or not report.status.is_final or report.filled > tracked.filled:
            return []
        del self._tracked[order.order_id]
        words = {"order_id": order.order_id, "symbol": order.symbol, "reason": report.reason}
        if report.status is OrderStatus.REJECTED and not tracked.filled:
            return [OrderRejected(time_ms=report.updated_ms, **words)]
        # Filled less than was asked for: the rest was cut off, by the venue or by us.
        return [OrderCancelled(time_ms=report.updated_ms, **words)]

    def has_seen(self, key: str) -> bool:
        """Whether this was heard of before."""
        return key in self._seen

    def is_new(self, key: str) -> bool:
        """Whether this was not heard of before; now it was."""
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True
