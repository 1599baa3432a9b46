"""Stop and target of each position as the venue lists them: orders that wait to be triggered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from triptych.domain import FillReason, Side, SubmitOrder
from triptych.exchanges.simulated.server.rows import STOPS, OrderRecord


class StandingStops:
    """Keeps one row for each stop and each target, and takes it away with the position.

    `new_id` names orders; `keep` enters a row among the orders of the account.
    """

    def __init__(self, new_id: Callable[[], str], keep: Callable[[OrderRecord], None]) -> None:
        self._new_id, self._keep = new_id, keep
        self._rows: dict[tuple[str, str], OrderRecord] = {}

    def follow(
        self, symbol: str, quantity: Decimal, protection: tuple[Decimal | None, Decimal | None], now_ms: int
    ) -> list[OrderRecord]:
        """Make the rows of an instrument those of its position, signed, with this stop and target.

        Returns the rows that have changed.
        """
        changed = []
        for reason, price in zip(STOPS, protection, strict=True):
            wanted = None if price is None or not quantity else self._wanted(symbol, quantity, price, reason, now_ms)
            name = symbol, reason.value
            found = self._rows.get(name)
            if found is not None and (wanted is None or wanted.order.side is not found.order.side):
                found.status, found.cancel_type, found.updated_ms = "Deactivated", "CancelByTpSlTsClear", now_ms
                changed.append(self._rows.pop(name))
                found = None
            if wanted is None:
                continue
            if found is None:
                self._rows[name] = wanted
                self._keep(wanted)
                changed.append(wanted)
            elif (found.order.quantity, found.trigger_price) != (wanted.order.quantity, price):
                found.order = replace(found.order, quantity=wanted.order.quantity)
                found.trigger_price, found.updated_ms = price, now_ms
                changed.append(found)
        return changed

    def triggered(self, symbol: str, reason: FillReason, quantity: Decimal) -> OrderRecord | None:
        """The row of a stop that fires for so much; None for one that was never listed."""
        kind = FillReason.TAKE_PROFIT if reason is FillReason.TAKE_PROFIT else FillReason.STOP_LOSS
        if reason not in (kind, FillReason.TRAILING_STOP):
            return None
        found = self._rows.pop((symbol, kind.value), None)
        if found is not None:
            found.order = replace(found.order, quantity=quantity)
            found.reason = reason
        return found

    def _wanted(self, symbol: str, quantity: Decimal, price: Decimal, reason: FillReason, now_ms: int) -> OrderRecord:
        side = Side.SELL if quantity > 0 else Side.BUY
        falls = (side is Side.SELL) == (reason is FillReason.STOP_LOSS)
        order = SubmitOrder(
            order_id=self._new_id(), symbol=symbol, side=side, quantity=abs(quantity), time_ms=now_ms, reduce_only=True
        )
        return OrderRecord(
            venue_id=order.order_id, link_id="", order=order, created_ms=now_ms, updated_ms=now_ms,
            status="Untriggered", reason=reason, trigger_price=price, trigger_direction=2 if falls else 1,
        )  # fmt: skip
