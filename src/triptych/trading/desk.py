"""The desk of one instrument: its candles, the target of its strategy, its orders under way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from triptych.domain import (
    CancelOrder,
    Candle,
    FillReason,
    Instrument,
    MoveStop,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
)
from triptych.trading.execution import Executor
from triptych.trading.trailing import Trail
from triptych.trading.window import CandleWindow

ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeskState:
    """What a desk remembers beside its candles, which come back from history."""

    symbol: str
    target: float
    barred: int
    orders: tuple[tuple[SubmitOrder, Decimal], ...]
    trail: Trail | None = None
    begun: Trail | None = None


@dataclass(slots=True)
class Desk:
    """One instrument.

    Attributes:
        target: what the strategy wanted last, from -1 to 1.
        barred: 1 or -1 when a protective exit bars this side until the strategy has wanted something else; else 0.
        orders: orders under way and the quantity each still has to trade, by order id.
        trail: of the trailing stop of the position, where it has one.
        begun: the trail that the newest opening order asks for. It is that of the position once its side is held: of
            the two fills of a turn the opening one may be heard first.
    """

    instrument: Instrument
    window: CandleWindow
    executor: Executor
    target: float = 0.0
    barred: int = 0
    orders: dict[str, tuple[SubmitOrder, Decimal]] = field(default_factory=dict)
    trail: Trail | None = None
    begun: Trail | None = None

    @property
    def last_close_ms(self) -> int:
        """When its newest candle closed, UTC milliseconds; -1 while there is none."""
        return self.window.last_close_ms

    def under_way(self) -> Decimal:
        """Signed quantity that the orders under way would still trade."""
        return sum((order.side.sign * remaining for order, remaining in self.orders.values()), ZERO)

    def filled(self, fill: OrderFilled, before: Decimal, after: Decimal) -> None:
        """Note that part of an order was traded; a finished or unknown order is no longer under way.

        `before` and `after` are the signed quantities held without and with the fill.
        """
        entry = self.orders.get(fill.order_id)
        self._follow(None if fill.reason is not FillReason.ORDER or entry is None else entry[0], fill, before, after)
        if entry is None or fill.reason is not FillReason.ORDER:  # a protective exit bears the id of the entry
            return
        order, remaining = entry
        if remaining > fill.quantity:
            self.orders[fill.order_id] = (order, remaining - fill.quantity)
        else:
            del self.orders[fill.order_id]

    def _follow(self, order: SubmitOrder | None, fill: OrderFilled, before: Decimal, after: Decimal) -> None:
        """Whose trail the position has now; `order` is the one that was filled, None where it is not under way."""
        if order is not None and not order.reduce_only:
            if self.begun is None or self.begun.order_id != order.order_id:
                self.begun = Trail.begun(order, fill)
        elif not after:
            self.begun = None
        if before * after <= 0:
            self.trail = None
        if self.trail is None and self.begun is not None and self.begun.sign * after > 0:
            # Candles may have closed since a fill that is heard of late.
            self.trail = self.begun.after_all(self.window.since(self.begun.seen_ms), self.instrument)

    def ended(self, event: OrderRejected | OrderCancelled) -> None:
        """Note that an order came to its end, or that the venue turned a command down."""
        if self.trail is not None and self.trail.order_id == event.order_id and isinstance(event, OrderRejected):
            # The order itself lives, or has filled: it is its stop that was not moved, and is asked for again.
            self.trail = replace(self.trail, sent=False)
            return
        self.orders.pop(event.order_id, None)

    def observe(self, candle: Candle) -> None:
        """Take in a closed candle."""
        self.window.append(candle)
        if self.trail is not None:
            self.trail = self.trail.after(candle, self.instrument)

    def moved_stop(self) -> MoveStop | None:
        """The command that tells the venue of the stop's new place; None when it knows."""
        if self.trail is None or self.trail.sent:
            return None
        self.trail = replace(self.trail, sent=True)
        return self.trail.move(self.instrument.symbol, self.last_close_ms)

    def flatten(
        self, held: Decimal, time_ms: int, reason: str, *, is_closing: bool | None = None
    ) -> list[CancelOrder | SubmitOrder]:
        """Commands that withdraw entries and close `held` (signed). `is_closing`: whether an order does already;
        None: as the orders under way say.
        """
        self.target, commands = 0.0, list[CancelOrder | SubmitOrder]()
        for order, _ in self.orders.values():
            if not order.reduce_only:
                commands.append(CancelOrder(order_id=order.order_id, symbol=order.symbol, time_ms=time_ms))
        if any(order.reduce_only for order, _ in self.orders.values()) if is_closing is None else is_closing:
            return commands
        orders, _ = self.executor.plan(
            quantity=held, exposure=0.0, equity=1.0, price=1.0, average_true_range=0.0, time_ms=time_ms, reason=reason
        )
        for order in orders:
            self.orders[order.order_id] = (order, order.quantity)
            commands.append(order)
        return commands

    def state(self) -> DeskState:
        """What there is to remember, for the journal."""
        return DeskState(
            symbol=self.instrument.symbol,
            target=self.target,
            barred=self.barred,
            orders=tuple(self.orders.values()),
            trail=self.trail,
            begun=self.begun,
        )

    def restore(self, state: DeskState) -> None:
        """Take up what `state` remembers; its trail counts the candles that have closed since."""
        self.target, self.barred, self.trail, self.begun = state.target, state.barred, state.trail, state.begun
        if self.trail is not None:
            self.trail = self.trail.after_all(self.window.since(self.trail.seen_ms), self.instrument)
        self.orders = {order.order_id: (order, remaining) for order, remaining in state.orders}
