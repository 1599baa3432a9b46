"""The simulated exchange: commands in, candles in, events out. No clock, no chance, no input or output."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from triptych.domain import (
    CancelOrder,
    Candle,
    Command,
    ExchangeEvent,
    FundingPaid,
    Instrument,
    MoveStop,
    OrderType,
    Position,
    SubmitOrder,
    utc,
)
from triptych.domain.errors import DataError, OrderError
from triptych.exchanges.base import AbstractExchange
from triptych.exchanges.simulated.account import Account, Market
from triptych.exchanges.simulated.costs import Config, CostModel, decimal
from triptych.exchanges.simulated.filling import Filler
from triptych.exchanges.simulated.happenings import cancelled, funding_falls, passed, rejected
from triptych.exchanges.simulated.matching import limit_price_reached, protective_exit
from triptych.exchanges.simulated.rules import refusal, refusal_of_stop


class SimulatedExchange(AbstractExchange):
    """Fills orders from candles, never better than the candle allows, and keeps its own books.

    What happens with a candle, in this order:

    1. Funding times up to and including its open are charged on the position held before it.
    2. At its open: market orders fill in the order of their submission at the open moved against us by half spread,
       slippage and impact; limit orders whose limit the open has passed fill at the open.
    3. Inside it: limit orders that open or add; then stop, liquidation or target of the position, the worst first;
       then limit orders that close. See `matching`.
    4. Funding times inside it are charged on the position held after step 2, at its open; one at its close on what is
       left, at its close.

    Fills of step 2 carry the candle's open time, those inside it its close time. An order is filled at the earliest by
    the first candle that comes after it. An opening fill is cut down to what the margin affords at its own price; the
    rest is cancelled. A reduce-only order is cut down to the position. Several candles that cover the same time belong
    in one call of `on_candles`: then no margin check sees the close of one candle while another still opens.
    """

    def __init__(self, instruments: Sequence[Instrument], costs: Config, initial_capital: Decimal) -> None:
        """Open an account with `initial_capital` in quote currency. Raises OrderError when it is not above zero."""
        if initial_capital <= 0:
            raise OrderError(f"The initial capital must be above zero, was {initial_capital}.")
        self._costs = CostModel(costs)
        self._account = Account(list(instruments), self._costs, initial_capital)
        self._has_funding = bool(self._costs.funding_rate)
        self._filler = Filler(self._account, self._costs)

    @property
    def equity(self) -> Decimal:
        """Equity at the last known prices, quote currency."""
        return self._account.equity()

    def position(self, symbol: str) -> Position:
        """The position the venue holds for us."""
        return self._account.markets[symbol].position

    def mark(self, symbol: str) -> Decimal:
        """The last known price, 0 before the first candle."""
        return decimal(self._account.markets[symbol].mark)

    def open_orders(self, symbol: str) -> tuple[SubmitOrder, ...]:
        """Orders that wait to be filled, oldest first."""
        return tuple(self._account.markets[symbol].waiting)

    def revise(self, instrument: Instrument) -> None:
        """Hold new orders against these rules; those that wait already stay as they are."""
        self._account.markets[instrument.symbol].instrument = instrument

    def resume(self, cash: Decimal, positions: Sequence[Position], fills: int) -> None:
        """Become the account that a paper house left behind: its cash, and positions without stop or target.

        `fills` have been given before: the ids of later ones go on from there.
        """
        self._account.cash, self._filler.given = cash, fills
        for position in positions:
            market = self._account.markets[position.symbol]
            market.position, market.mark = position, float(position.entry_price)

    def protection(self, symbol: str) -> tuple[Decimal | None, Decimal | None]:
        """Stop and target of the position, None where there is none."""
        market = self._account.markets[symbol]
        stop, target = (None if level is None else decimal(level) for level in (market.stop, market.target))
        return stop, target

    def protect(self, symbol: str, *, stop_loss: Decimal | None, take_profit: Decimal | None) -> None:
        """Set stop and target of the position that is held; None leaves none. Without a position nothing happens."""
        market = self._account.markets[symbol]
        if market.position.quantity:
            stop = None if stop_loss is None else float(stop_loss)
            market.stop_moved |= market.stop is not None and stop != market.stop
            market.stop = stop
            market.target = None if take_profit is None else float(take_profit)
            market.watch()

    def submit(self, command: Command) -> list[ExchangeEvent]:
        """Accept, or reject with a reason; a cancellation is confirmed at once. Unknown symbols are rejected too.

        A stop that is moved counts from the next candle on.
        """
        market = self._account.markets.get(command.symbol)
        if isinstance(command, MoveStop):
            reason = refusal_of_stop(command, market)
            if reason or market is None:
                return [rejected(command, reason)]
            market.move_stop(command.stop_loss)
            return []
        if isinstance(command, CancelOrder):
            for order in market.waiting if market else ():
                if order.order_id == command.order_id:
                    assert market is not None
                    market.waiting.remove(order)
                    return [cancelled(order, command.time_ms, "cancelled on request")]
            return [rejected(command, f"order {command.order_id} is not open")]
        if market is None:
            return [rejected(command, f"the venue does not trade {command.symbol}")]
        reason = refusal(command, market, self._account)
        if reason:
            return [rejected(command, reason)]
        market.waiting.append(command)
        return []

    def amend(self, order: SubmitOrder) -> str:
        """Let a waiting order stand in this form, in its place. Returns why not, or nothing."""
        market = self._account.markets[order.symbol]
        place = [one.order_id for one in market.waiting].index(order.order_id)
        before = market.waiting.pop(place)
        reason = refusal(order, market, self._account)
        market.waiting.insert(place, before if reason else order)
        return reason

    def on_candle(self, candle: Candle) -> list[ExchangeEvent]:
        """Let one candle happen. Returns the events in the order in which they happened."""
        return self.on_candles((candle,))

    def on_candles(self, candles: Sequence[Candle]) -> list[ExchangeEvent]:
        """Let candles of the same time, each of another instrument, happen together."""
        events: list[ExchangeEvent] = []
        markets = self._account.markets
        busy: list[tuple[Market, Candle]] = []
        interval = self._costs.funding_interval_ms if self._has_funding else 0
        for candle in candles:
            market = markets[candle.symbol]
            last = market.last
            if last is not None and candle.open_time_ms <= last.open_time_ms:
                raise DataError(
                    f"{candle.symbol}: the candle of {utc(candle.open_time_ms)} UTC is not later than the last one.",
                    remedy="Feed each closed candle once, in time order.",
                )
            if (
                market.waiting
                or candle.low <= market.lowest
                or candle.high >= market.highest
                or (interval and market.position.quantity and funding_falls(last, candle, interval))
            ):
                busy.append((market, candle))
        if busy:
            self._happen(candles, busy, events)
        for candle in candles:
            market = markets[candle.symbol]
            if self._costs.impact:
                market.learn(candle)
            market.mark = candle.close
            market.last = candle
        return events

    def _happen(
        self, candles: Sequence[Candle], busy: list[tuple[Market, Candle]], events: list[ExchangeEvent]
    ) -> None:
        """The four steps, for the markets in which this candle can change something."""
        for market, candle in busy:
            if market.last is not None:
                self._funding(market, market.last.close_time_ms, candle.open_time_ms, market.mark, events)
        for candle in candles:
            self._account.markets[candle.symbol].mark = candle.open
        opened = [self._at_open(market, candle, events) for market, candle in busy]
        for (market, candle), entered in zip(busy, opened, strict=True):
            held = market.position.quantity
            self._inside(market, candle, entered, events)
            close = candle.close_time_ms
            start = candle.open_time_ms if market.last is None else max(candle.open_time_ms, market.last.close_time_ms)
            self._funding(market, start, close - 1, candle.open, events, held)
            self._funding(market, close - 1, close, candle.close, events)

    def _at_open(self, market: Market, candle: Candle, events: list[ExchangeEvent]) -> bool:
        """Fill what fills at the open. Returns whether a position was opened (from flat or by turning)."""
        before = market.position.quantity
        orders, market.waiting = market.waiting, []
        for order in orders:
            time_ms = max(order.time_ms, candle.open_time_ms)
            if order.type is OrderType.MARKET:
                self._filler.at_market(market, order, candle, time_ms, events)
            elif passed(order, candle.open):
                self._filler.at_limit(market, order, candle.open, time_ms, events)
            else:
                market.waiting.append(order)
        return bool(market.position.quantity) and before * market.position.quantity <= 0

    def _inside(self, market: Market, candle: Candle, entered_at_open: bool, events: list[ExchangeEvent]) -> None:
        """Resting orders and protection between open and close."""
        added = bool(market.waiting) and self._limits(market, candle, events, closing=False)
        self._protect(market, candle, events, entered_at_open=entered_at_open, target_counts=not added)
        if market.waiting:
            before = market.position.quantity
            self._limits(market, candle, events, closing=True)
            if before * market.position.quantity < 0:
                self._protect(market, candle, events, entered_at_open=False, target_counts=False)

    def _protect(
        self,
        market: Market,
        candle: Candle,
        events: list[ExchangeEvent],
        *,
        entered_at_open: bool,
        target_counts: bool,
    ) -> None:
        """Close the position if its stop, its liquidation or its target is reached."""
        quantity = market.position.quantity
        if not quantity or (candle.low > market.lowest and candle.high < market.highest):
            return
        out = protective_exit(
            is_long=quantity > 0, open_=candle.open, high=candle.high, low=candle.low,
            stop=market.stop, target=market.target, liquidation=market.liquidation,
            entered_at_open=entered_at_open, target_counts=target_counts,
        )  # fmt: skip
        if out is not None:
            self._filler.out_of(market, out, candle.close_time_ms, events)

    def _limits(self, market: Market, candle: Candle, events: list[ExchangeEvent], *, closing: bool) -> bool:
        """Fill the resting orders that close the position, or those that do not. Returns whether any was filled."""
        orders, market.waiting = market.waiting, []
        filled = False
        for order in orders:
            closes = order.reduce_only or market.position.quantity * order.side.sign < 0
            assert order.limit_price is not None
            limit = float(order.limit_price)
            price = limit_price_reached(order.side, limit, candle.open, candle.high, candle.low)
            if closes is closing and price is not None:
                # The order was not passed by the open, so it trades at its limit.
                self._filler.at_limit(market, order, limit, candle.close_time_ms, events)
                filled = True
            else:
                market.waiting.append(order)
        return filled

    def _funding(
        self,
        market: Market,
        after_ms: int,
        until_ms: int,
        mark: float,
        events: list[ExchangeEvent],
        quantity: Decimal | None = None,
    ) -> None:
        """Charge the funding times in (after_ms, until_ms]. Longs pay a positive rate, shorts receive it."""
        held = market.position.quantity if quantity is None else quantity
        if not self._has_funding or not held:
            return
        interval = self._costs.funding_interval_ms
        first = (after_ms // interval + 1) * interval
        for time_ms in range(first, until_ms + 1, interval):
            amount = held * decimal(mark) * self._costs.funding_rate
            self._account.cash -= amount
            events.append(FundingPaid(symbol=market.instrument.symbol, time_ms=time_ms, amount=amount))
