"""The simulated exchange behind the interface of a wire: the venue of paper trading.

Closed candles come in through `on_candles`, as in a backtest; what they do to the account is told on the stream and
kept for those who ask. Orders are known by their ids for ever, so sending one twice does nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal

from triptych.domain import (
    AbstractClock,
    CancelOrder,
    Candle,
    ExchangeEvent,
    FillReason,
    FundingPaid,
    Instrument,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderReport,
    OrderStatus,
    Position,
    PositionReport,
    SubmitOrder,
    WalletReport,
)
from triptych.exchanges.gateway import AbstractGateway, Answer, PrivateMessage
from triptych.exchanges.simulated.costs import Config
from triptych.exchanges.simulated.venue import SimulatedExchange

ZERO = Decimal(0)
Stops = Mapping[str, tuple[Decimal | None, Decimal | None]]


class SimulatedGateway(AbstractGateway):
    """Paper trading: fills from candles, answers at once."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        costs: Config,
        initial_capital: Decimal,
        *,
        clock: AbstractClock,
        venue: str = "paper",
        validity_ms: int = 5_000,
    ) -> None:
        """Open an account with `initial_capital` in quote currency."""
        self.venue, self.validity_ms = venue, validity_ms
        self.exchange = SimulatedExchange(instruments, costs, initial_capital)
        self._clock = clock
        self._orders: dict[str, OrderReport] = {}
        self._executions: dict[str, list[OrderFilled | FundingPaid]] = {one.symbol: [] for one in instruments}
        self._outbox: asyncio.Queue[PrivateMessage] = asyncio.Queue()

    def on_candles(self, candles: Sequence[Candle]) -> None:
        """Let candles that closed at the same time happen; what they did is told on the stream."""
        for event in self.exchange.on_candles(candles):
            self._tell(event)

    async def submit(self, order: SubmitOrder, *, signed_ms: int) -> Answer:
        if order.order_id in self._orders:
            return Answer(outcome="accepted", venue_id=order.order_id, text="known already")
        if self._clock.now_ms() > signed_ms + self.validity_ms:
            return Answer(outcome="rejected", text="the request is too old")
        report = OrderReport(
            order_id=order.order_id, venue_id=order.order_id, symbol=order.symbol, side=order.side,
            quantity=order.quantity, filled=ZERO, status=OrderStatus.OPEN, updated_ms=order.time_ms,
            reduce_only=order.reduce_only,
        )  # fmt: skip
        events = self.exchange.submit(order)
        refused = next((event for event in events if isinstance(event, OrderRejected)), None)
        if refused is not None:
            return Answer(outcome="rejected", text=refused.reason)
        self._publish(report)
        for event in events:
            self._tell(event)
        return Answer(outcome="accepted", venue_id=order.order_id)

    async def cancel(self, command: CancelOrder, *, signed_ms: int) -> Answer:
        if self._clock.now_ms() > signed_ms + self.validity_ms:
            return Answer(outcome="rejected", text="the request is too old")
        for event in self.exchange.submit(command):
            if isinstance(event, OrderRejected):
                return Answer(outcome="rejected", text=event.reason)
            self._tell(event)
        return Answer(outcome="accepted", venue_id=command.order_id)

    async def protect(
        self, symbol: str, *, stop_loss: Decimal | None, take_profit: Decimal | None, signed_ms: int | None = None
    ) -> Answer:
        if signed_ms is not None and self._clock.now_ms() > signed_ms + self.validity_ms:
            return Answer(outcome="rejected", text="the request is too old")
        self.exchange.protect(symbol, stop_loss=stop_loss, take_profit=take_profit)
        return Answer(outcome="accepted")

    async def find_order(self, order_id: str, symbol: str) -> OrderReport | None:
        return self._orders.get(order_id)

    async def open_orders(self, symbols: Sequence[str]) -> Sequence[OrderReport]:
        return [self._orders[order.order_id] for symbol in symbols for order in self.exchange.open_orders(symbol)]

    async def executions(self, symbols: Sequence[str], since_ms: int) -> Sequence[OrderFilled | FundingPaid]:
        found = [one for symbol in symbols for one in self._executions[symbol] if one.time_ms >= since_ms]
        return sorted(found, key=lambda one: one.time_ms)

    async def positions(self, symbols: Sequence[str]) -> Mapping[str, PositionReport]:
        return {symbol: self._position(symbol) for symbol in symbols}

    def _position(self, symbol: str) -> PositionReport:
        held = self.exchange.position(symbol)
        stop, target = self.exchange.protection(symbol)
        return PositionReport(
            symbol=symbol, quantity=held.quantity, entry_price=held.entry_price, stop_loss=stop, take_profit=target,
            updated_ms=self._clock.now_ms(),
        )  # fmt: skip

    async def wallet(self) -> WalletReport:
        equity = self.exchange.equity
        return WalletReport(currency="", equity=equity, balance=equity, updated_ms=self._clock.now_ms())

    async def time_ms(self) -> int:
        return self._clock.now_ms()

    async def stream(self) -> AsyncIterator[PrivateMessage]:
        while True:
            yield await self._outbox.get()

    def resume(self, cash: Decimal, positions: Sequence[Position], stops: Stops, fills: int) -> None:
        """Become the venue that a paper house left behind: paper has no other memory than the house's journal.

        Orders that had not come to an end are gone; reconciliation finds that nobody has them.

        Args:
            cash: quote currency.
            positions: what is held.
            stops: by symbol, stop and target of the position.
            fills: how many there were.
        """
        self.exchange.resume(cash, positions, fills)
        for symbol, (stop, target) in stops.items():
            self.exchange.protect(symbol, stop_loss=stop, take_profit=target)

    def pending(self) -> list[PrivateMessage]:
        """Messages that wait on the stream, taken off it."""
        messages: list[PrivateMessage] = []
        while not self._outbox.empty():
            messages.append(self._outbox.get_nowait())
        return messages

    def _tell(self, event: ExchangeEvent) -> None:
        if isinstance(event, FundingPaid):
            self._executions[event.symbol].append(event)
            self._outbox.put_nowait(event)
            return
        known = self._orders.get(event.order_id)
        if isinstance(event, OrderFilled):
            self._executions[event.symbol].append(event)
            self._outbox.put_nowait(event)
        if known is None or (isinstance(event, OrderFilled) and event.reason is not FillReason.ORDER):
            return  # stops, targets and liquidations are orders of the venue's own
        filled = known.filled
        if isinstance(event, OrderFilled):
            filled += event.quantity
            status = OrderStatus.FILLED if filled >= known.quantity else OrderStatus.PARTIALLY_FILLED
            reason = ""
        else:
            status = OrderStatus.CANCELLED if isinstance(event, OrderCancelled) else OrderStatus.REJECTED
            reason = event.reason
        self._publish(
            OrderReport(
                order_id=known.order_id, venue_id=known.venue_id, symbol=known.symbol, side=known.side,
                quantity=known.quantity, filled=filled, status=status, updated_ms=event.time_ms,
                reduce_only=known.reduce_only, reason=reason,
            )
        )  # fmt: skip

    def _publish(self, report: OrderReport) -> None:
        self._orders[report.order_id] = report
        self._outbox.put_nowait(report)
