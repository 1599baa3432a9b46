"""The desk of one instrument: its candles, the target of its strategy, its orders under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from triptych.domain import Instrument, SubmitOrder
from triptych.trading.execution import Executor
from triptych.trading.window import CandleWindow

ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeskState:
    """What a desk remembers beside its candles, which come back from history."""

    symbol: str
    target: float
    barred: int
    orders: tuple[tuple[SubmitOrder, Decimal], ...]


@dataclass(slots=True)
class Desk:
    """One instrument.

    Attributes:
        target: what the strategy wanted last, from -1 to 1.
        barred: 1 or -1 when a protective exit bars this side until the strategy has wanted something else; else 0.
        orders: orders under way and the quantity each still has to trade, by order id.
    """

    instrument: Instrument
    window: CandleWindow
    executor: Executor
    target: float = 0.0
    barred: int = 0
    orders: dict[str, tuple[SubmitOrder, Decimal]] = field(default_factory=dict)

    @property
    def last_close_ms(self) -> int:
        """When its newest candle closed, UTC milliseconds; -1 while there is none."""
        return self.window.last_close_ms

    def under_way(self) -> Decimal:
        """Signed quantity that the orders under way would still trade."""
        return sum((order.side.sign * remaining for order, remaining in self.orders.values()), ZERO)

    def filled(self, order_id: str, quantity: Decimal) -> None:
        """Note that part of an order was traded; a finished or unknown order is no longer under way."""
        entry = self.orders.get(order_id)
        if entry is None:
            return
        order, remaining = entry
        if remaining > quantity:
            self.orders[order_id] = (order, remaining - quantity)
        else:
            del self.orders[order_id]

    def state(self) -> DeskState:
        """What there is to remember, for the journal."""
        return DeskState(
            symbol=self.instrument.symbol, target=self.target, barred=self.barred, orders=tuple(self.orders.values())
        )

    def restore(self, state: DeskState) -> None:
        """Take up what `state` remembers."""
        self.target, self.barred = state.target, state.barred
        self.orders = {order.order_id: (order, remaining) for order, remaining in state.orders}
