"""The engine: one loop for backtest, paper and live. Candles and events in, commands out; no clock, chance or I/O."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from triptych.domain import (
    CLOSE,
    CancelOrder,
    Candle,
    CandleSeries,
    Command,
    ExchangeEvent,
    FillReason,
    FundingPaid,
    Instrument,
    OrderFilled,
    OrderType,
    Prediction,
    SubmitOrder,
)
from triptych.domain.errors import OrderError
from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.inference.watch import AbstractWatch, Reading
from triptych.strategies.base import AbstractStrategy
from triptych.trading import execution as execution_
from triptych.trading import guard as guard_
from triptych.trading import risk as risk_
from triptych.trading import sizing as sizing_
from triptych.trading.decision import Decision, EngineState, Observer
from triptych.trading.desk import Desk
from triptych.trading.desk_sizer import DeskSizer
from triptych.trading.order_id import OrderIds
from triptych.trading.ordering import Ordering
from triptych.trading.portfolio import Portfolio
from triptych.trading.window import CandleWindow


class Engine(AbstractView):
    """Decides on closed candles.

    One candle's life: `observe` adds it to its instrument's window and marks the position at its close; `decide` asks
    the predictor (once the window is full), the strategy, sizing, execution and risk, and returns the commands. Candles
    that close at the same time belong in one call: all are observed before the first decision is taken. Events of the
    venue come in through `on_event`, before the candle at whose close they are known.

    Rules:

    - The aim is a state, not an act: every decision compares the wanted exposure with the position the fills made.
      What a venue rejected, cancelled or filled in part is asked for again at the next close, under a new id.
    - While an order is under way in an instrument, no other is sent there. An entry limit order that has not filled by
      the next close is cancelled.
    - After a stop, target or liquidation the strategy's target counts as 0. What somebody has closed by hand is not
      entered again before the strategy has wanted something else, whatever `after_exit` says.
    - A trailing stop is moved at closes, by closed candles. Where the close lies beyond it already, the position is
      closed by a market order instead.
    - Order ids depend on strategy name, symbol, close time and leg only: the same candles give the same ids.

    After a restart: build the engine anew, `observe` as many past candles as `memory` says, `restore` the last state,
    then feed the events since. Whoever observes a close without a decision shows it to `guard` and `risk`.
    """

    def __init__(
        self,
        *,
        name: str,
        instruments: Sequence[Instrument],
        predictor: AbstractPredictor,
        strategy: AbstractStrategy,
        initial_capital: Decimal,
        sizing: sizing_.Config | None = None,
        execution: execution_.Config | None = None,
        risk: risk_.Config | None = None,
        observer: Observer | None = None,
        companions: Sequence[Instrument] = (),
        token: int = 0,
        guard: guard_.Config | None = None,
        watch: AbstractWatch | None = None,
    ) -> None:
        """Build an engine.

        Args:
            name: of the strategy; order ids are derived from it.
            instruments: what is traded; the capital is split over all of them.
            predictor: asked at each close once the instrument has `predictor.length` candles.
            strategy: turns predictions into targets.
            initial_capital: quote currency.
            sizing, execution, risk, guard: settings; None takes the defaults.
            observer: receives every `Decision`, `OrderDenied` and `GuardActed`.
            companions: what is watched beside, because predictor or watch look at it, and never traded.
            token: live, that of the lease under which orders are sent; it stands in their ids.
            watch: what the guard asks at each close; None: nothing is guarded.

        Raises OrderError when there is no instrument or a symbol occurs twice.
        """
        symbols = [instrument.symbol for instrument in (*instruments, *companions)]
        if not instruments or len(set(symbols)) != len(symbols):
            raise OrderError("An engine needs at least one instrument, and each symbol only once.")
        self._predictor = predictor
        self._strategy = strategy
        self._observer = observer
        self._sizer = DeskSizer(sizing or sizing_.Config(), len(instruments))
        self.risk = risk_.RiskManager(risk or risk_.Config(), float(initial_capital))
        self.guard = guard_.Guard(guard, watch)
        self._execution = execution or execution_.Config()
        self.portfolio = Portfolio(initial_capital)
        self.share, self.dropped = 1.0, tuple[str, ...]()
        self._desks: dict[str, Desk] = {}
        for instrument in instruments:
            executor = execution_.Executor(self._execution, instrument, OrderIds(name, instrument.symbol, token))
            self._desks[instrument.symbol] = Desk(
                instrument=instrument, window=CandleWindow(self.memory, instrument), executor=executor
            )
        self._ordering = Ordering(
            desks=self._desks, portfolio=self.portfolio, sizer=self._sizer, risk=self.risk, config=self._execution
        )
        self._windows = {symbol: desk.window for symbol, desk in self._desks.items()}
        self._windows |= {one.symbol: CandleWindow(self.memory, one) for one in companions}

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is traded."""
        return tuple(self._desks)

    def instrument(self, symbol: str) -> Instrument:
        """The rules of an instrument that is traded. Raises KeyError for another."""
        return self._desks[symbol].instrument

    @property
    def memory(self) -> int:
        """Candles of the past that a decision may look at: observe at least as many before the first decision."""
        return max(self.needed, self._predictor.kept)

    @property
    def needed(self) -> int:
        """Candles without which nothing is decided, and all that are looked at where no market ever closes."""
        ranges = self._execution.atr_length + 1 if self._execution.protection_unit == "atr" else 0
        return max(self._predictor.length, self.guard.length, self._sizer.length, ranges)

    def newest_ms(self, symbol: str) -> int:
        """When the newest candle closed of an instrument that is traded or watched, UTC ms; -1 while there is none."""
        return self._windows[symbol].last_close_ms

    def history(self, symbol: str, length: int) -> CandleSeries | None:
        """The last `length` candles of an instrument that is traded or watched; None while there are fewer.

        Raises OrderError for another instrument, IndexError for more candles than `memory`.
        """
        return self._watched(symbol).history(length)

    def latest(self, symbol: str, most: int) -> CandleSeries | None:
        """As many of the last `most` candles of an instrument as are kept; None while there is none. See `history`."""
        return self._watched(symbol).latest(most)

    def _watched(self, symbol: str) -> CandleWindow:
        if symbol not in self._windows:
            raise OrderError(
                f"The model looks at {symbol}, which this engine does not watch.",
                remedy="Name it among the companions of the engine.",
            )
        return self._windows[symbol]

    def observe(self, candles: Sequence[Candle]) -> None:
        """Take closed candles into the windows and value the positions at their closes, without deciding."""
        for candle in candles:
            desk = self._desks.get(candle.symbol)
            if desk is None:
                self._windows[candle.symbol].append(candle)
            else:
                desk.observe(candle)
                self.portfolio.mark(candle.symbol, candle.close)

    def on_candle(self, candle: Candle) -> list[Command]:
        """Observe one closed candle and decide on it."""
        return self.on_candles((candle,))

    def on_candles(self, candles: Sequence[Candle]) -> list[Command]:
        """Observe candles that closed at the same time, then decide on each. Returns the commands in sending order."""
        self.observe(candles)
        return self.decide(candles)

    def decide(
        self,
        candles: Sequence[Candle],
        predictions: Mapping[str, Prediction | None] | None = None,
        *,
        halt: str = "",
        readings: Mapping[str, Reading | None] | None = None,
    ) -> list[Command]:
        """Decide on candles that were just observed.

        `predictions` are predictions by symbol that were made elsewhere from `history`, under a deadline say; a symbol
        that has none there counts as without a prediction. Without `predictions` the predictor is asked. A `halt` from
        outside closes everything, with these words as reason. Candles of companions are passed over. `readings` are to
        the guard's watch what `predictions` are to the predictor.
        """
        commands: list[Command] = []
        length = self._predictor.length
        equity = self.portfolio.equity()
        halt = self.risk.on_equity(candles[0].close_time_ms, equity) or halt
        closes = {one.symbol: one.close_time_ms for one in candles if one.symbol in self._desks}
        for acted in self.guard.look(self, closes, readings):
            if self._observer is not None:
                self._observer(acted)
        for candle in candles:
            desk = self._desks.get(candle.symbol)
            if desk is None or len(desk.window) < length:
                continue
            if predictions is None:
                prediction = self._predictor.predict_now(self, candle.symbol, desk.last_close_ms)
            else:
                prediction = predictions.get(candle.symbol)
            self._decide(desk, candle.close, equity, prediction, halt or self.guard.halt(candle.symbol), commands)
        return commands

    def flatten(
        self,
        time_ms: int,
        reason: str,
        *,
        held: Mapping[str, Decimal] | None = None,
        closing: Collection[str] | None = None,
    ) -> list[Command]:
        """Close every position and withdraw every entry order now, whatever the candles say; `time_ms` goes into ids.

        An instrument with an order under way that closes is left to it.
        Live, `held` are signed quantities as the venue says them; in `closing` it has an order that closes.
        """
        commands: list[Command] = []
        for symbol, desk in self._desks.items():
            quantity = self.portfolio.position(symbol).quantity if held is None else held.get(symbol, Decimal(0))
            is_closing = None if closing is None else symbol in closing
            commands += desk.flatten(quantity, time_ms, reason, is_closing=is_closing)
        return commands

    def cap_orders(self, symbol: str, most: Decimal) -> None:
        """No market order of an instrument asks for more than this any longer, in base units."""
        self._desks[symbol].executor.cap_orders(most)

    def protect(self, symbol: str, stop_loss: Decimal | None) -> tuple[Decimal | None, Decimal | None]:
        """Stop and target for a position that was adopted; see `Ordering.protect`."""
        return self._ordering.protect(self._desks[symbol], stop_loss)

    def revise(self, instrument: Instrument) -> None:
        """The venue's rules of an instrument that is traded have changed: they count from the next order on. What was
        learned by `cap_orders` is forgotten. Raises KeyError for another instrument.
        """
        desk = self._desks[instrument.symbol]
        desk.instrument = instrument
        desk.executor.revise(instrument)

    def leave(self, symbol: str, time_ms: int, reason: str) -> list[Command]:
        """Close one position now, as its stop would have done, unless it closes already; `time_ms` goes into the id."""
        desk, held = self._desks[symbol], self.portfolio.position(symbol).quantity
        if held and self._execution.after_exit == "new_signal":
            desk.barred = 1 if held > 0 else -1
        return list(desk.flatten(held, time_ms, reason))

    def _decide(
        self,
        desk: Desk,
        price: float,
        equity: float,
        prediction: Prediction | None,
        halt: str,
        commands: list[Command],
    ) -> None:
        target, reason = self._target(desk, price, prediction, halt)
        desk.target = target
        symbol = desk.instrument.symbol
        current = self.portfolio.quantity(symbol) * price / equity if equity > 0 else 0.0
        exposure, sized = self._sizer.exposure_at(desk, target, prediction, current)
        reason += sized
        if self.share != 1.0 and exposure:
            exposure, reason = exposure * self.share, f"{reason}; size cut to {self.share:g} of it from outside"
        if target and not exposure:
            reason += "; sizing stakes nothing on it"
        exposure, limited = self.risk.within(symbol, exposure)
        reason += limited
        exposure, guarded = self.guard.allowed(symbol, exposure, current)
        reason += guarded
        if desk.orders:
            reason += self._attend_orders(desk, commands)
        else:
            if not desk.executor.is_settled(exposure, current) or (equity <= 0 and self.portfolio.quantity(symbol)):
                ordered = self._ordering.orders(
                    desk, exposure=exposure, current=current, equity=equity, price=price, reason=reason
                )
                reason += ordered.note
                commands += ordered.orders
                if self._observer is not None:
                    for denial in ordered.denials:
                        self._observer(denial)
        if desk.trail is not None and exposure * desk.trail.sign > 0:
            move = desk.moved_stop()
            if move is not None:
                commands.append(move)
        if self._observer is not None:
            self._observer(Decision(symbol, desk.last_close_ms, prediction, target, exposure, reason))

    def _target(self, desk: Desk, price: float, prediction: Prediction | None, halt: str) -> tuple[float, str]:
        """The strategy's target and its reason, overruled where a limit, a stop or a missing prediction demands it."""
        if prediction is None or not math.isfinite(
            prediction.probability_sell + prediction.probability_hold + prediction.probability_buy
        ):
            target = desk.target if self._execution.without_prediction == "hold" else 0.0
            reason = f"{self._execution.without_prediction}: no usable prediction"
        else:
            signal = self._strategy.decide(prediction, desk.target)
            target, reason = signal.target, signal.reason
            if not -1.0 <= target <= 1.0:
                target, reason = 0.0, f"flat: the strategy's target {target} is not between -1 and 1"
        if halt:
            voted = prediction is not None and prediction.votes
            return 0.0, f"flat: {halt}" + (f" ({reason})" if voted else "")
        if desk.trail is not None and desk.trail.is_passed(price):
            if self._execution.after_exit == "new_signal":
                desk.barred = desk.trail.sign
            return 0.0, f"flat: the close {price:g} passed the trailing stop {desk.trail.stop}"
        if desk.barred:
            if target * desk.barred > 0:
                return 0.0, f"flat: waits for a new signal after a protective exit ({reason})"
            desk.barred = 0
        return target, reason

    def _attend_orders(self, desk: Desk, commands: list[Command]) -> str:
        """Cancel entry limit orders that have waited a candle; wait for everything else."""
        for order, _ in desk.orders.values():
            if order.type is OrderType.LIMIT:
                commands.append(CancelOrder(order_id=order.order_id, symbol=order.symbol, time_ms=desk.last_close_ms))
        return f"; waits for {', '.join(desk.orders)}"

    def on_event(self, event: ExchangeEvent) -> None:
        """Take in what the venue says. Repeated fills and messages about finished orders change nothing.

        Raises OrderError for an instrument that the engine does not trade.
        """
        desk = self._desks.get(event.symbol)
        if desk is None and event.symbol in self.dropped:
            self.portfolio.apply(event)
            return
        if desk is None:
            raise OrderError(
                f"An event of {event.symbol} came in, which this engine does not trade: {event}.",
                remedy="Give each engine an account of its own, or only the events of its own instruments.",
            )
        if isinstance(event, OrderFilled):
            held = self.portfolio.position(event.symbol).quantity
            if not self.portfolio.apply(event):
                return
            desk.filled(event, held, self.portfolio.position(event.symbol).quantity)
            by_hand = event.reason is FillReason.BY_HAND
            # One that is heard of late, after the fills of another entry, has not closed what is held now.
            is_exit = event.reason is not FillReason.ORDER and held * event.side.sign < 0
            if is_exit and not (by_hand and self.portfolio.quantity(event.symbol)):
                desk.target = 0.0
                if by_hand or self._execution.after_exit == "new_signal":
                    desk.barred = 1 if held > 0 else -1
        elif isinstance(event, FundingPaid):
            self.portfolio.apply(event)
        else:
            desk.ended(event)

    def has_sent(self, order_id: str, symbol: str) -> bool:
        """Whether an order's id was made by this strategy for this instrument, in this life or an earlier one."""
        desk = self._desks.get(symbol)
        return desk is not None and desk.executor.has_sent(order_id)

    def orders_under_way(self) -> tuple[SubmitOrder, ...]:
        """Orders that were sent and have not come to an end."""
        return tuple(order for desk in self._desks.values() for order, _ in desk.orders.values())

    def state(self) -> EngineState:
        """All there is to remember, for the journal."""
        return EngineState(
            portfolio=self.portfolio.state(),
            risk=self.risk.state(),
            desks=tuple(desk.state() for desk in self._desks.values()),
            guard=self.guard.state(),
        )

    def restore(self, state: EngineState) -> None:
        """Become the engine that `state` was taken from. The candles must have been observed before.

        What that engine traded and this one does not is `dropped`: its events still change the portfolio, so that the
        money is right. Whether anything of it is held, the portfolio says once all events are in.
        """
        self.portfolio.restore(state.portfolio)
        self.risk.restore(state.risk)
        self.guard.restore(state.guard)
        self.dropped = tuple(desk.symbol for desk in state.desks if desk.symbol not in self._desks)
        for desk in state.desks:
            if desk.symbol in self._desks:
                self._desks[desk.symbol].restore(desk)
        for symbol, live in self._desks.items():
            if (newest := live.window.last(1)) is not None:  # the state's marks are those of its last decision
                self.portfolio.mark(symbol, float(newest[0, CLOSE]))
