"""Replay: the live engine on a recorded tape, trading on the simulated exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from triptych.backtest.result import DECISION_SCHEMA, EQUITY_SCHEMA, FILL_SCHEMA, GUARD_SCHEMA, BacktestResult
from triptych.backtest.tape import batches, candles_per_year, check_tape
from triptych.backtest.trades import TradeBook
from triptych.domain import (
    Candle,
    CandleSeries,
    ExchangeEvent,
    FundingPaid,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    Side,
    SubmitOrder,
    Vote,
    utc,
)
from triptych.domain.errors import NotEnoughData, OrderError
from triptych.exchanges.simulated import SimulatedExchange
from triptych.exchanges.simulated import costs as costs_
from triptych.inference.base import AbstractPredictor
from triptych.inference.recorded import RecordedPredictor
from triptych.inference.watch import AbstractWatch
from triptych.strategies.base import AbstractStrategy
from triptych.trading import execution as execution_
from triptych.trading import guard as guard_
from triptych.trading import risk as risk_
from triptych.trading import sizing as sizing_
from triptych.trading.decision import Decision
from triptych.trading.engine import Engine
from triptych.trading.portfolio import Portfolio

_LEAST_LEAD = 200
"""Candles before the start that the venue sees at least: its running means of range and volume settle on them."""


def run_backtest(
    series: Sequence[CandleSeries],
    predictor: AbstractPredictor,
    *,
    strategy: AbstractStrategy,
    sizing: sizing_.Config | None = None,
    execution: execution_.Config | None = None,
    risk: risk_.Config | None = None,
    costs: costs_.Config | None = None,
    initial_capital: float = 10_000.0,
    start_ms: int | None = None,
    end_ms: int | None = None,
    name: str = "backtest",
    companions: Sequence[CandleSeries] = (),
    guard: guard_.Config | None = None,
    watch: AbstractWatch | None = None,
) -> BacktestResult:
    """Trade a strategy on history.

    Every candle first meets the orders that wait at the venue, then the engine; all instruments whose candles close at
    the same time are filled before the first of them is decided on. Decisions are taken at closes in [start_ms,
    end_ms); the tape ends with the candle that closes at end_ms, where open positions are valued at the close. Windows,
    volatilities and ranges may look at candles before start_ms.

    Args:
        series: one per instrument, of one timeframe.
        predictor: asked in batches beforehand, unless it is a `RecordedPredictor` already.
        strategy: turns predictions into targets.
        sizing, execution, risk, costs: settings; None takes the defaults.
        initial_capital: quote currency.
        start_ms: first decision, UTC ms; None: as soon as a window is full.
        end_ms: end of the decisions, UTC ms; None: the end of the tape.
        name: of the strategy; order ids are derived from it.
        companions: histories that predictor and watch look at beside those that are traded.
        guard: what the alarms of `watch` lead to.
        watch: asked at each close, such as a `RecordedWatch`; None: nothing is guarded.

    Raises NotEnoughData, DataError or OrderError when the tape, the period or the leverage makes no sense.
    """
    costs = costs or costs_.Config()
    tape = (*series, *companions)
    check_tape(tape)
    _check_leverage(series, costs)
    start_ms, end_ms = _period(series, predictor.length, start_ms, end_ms)
    if not isinstance(predictor, RecordedPredictor):
        histories = {one.symbol: one for one in tape}
        predictor = RecordedPredictor.record(predictor, series, start_ms=start_ms, end_ms=end_ms, companions=histories)
    capital = Decimal(repr(float(initial_capital)))
    instruments = [one.instrument for one in series]
    log = _Log(series)
    engine = Engine(
        name=name, instruments=instruments, predictor=predictor, strategy=strategy, initial_capital=capital,
        sizing=sizing, execution=execution, risk=risk, observer=log.on_record,
        companions=[one.instrument for one in companions], guard=guard, watch=watch,
    )  # fmt: skip
    venue = SimulatedExchange(instruments, costs, capital)
    benchmark = _BuyAndHold(series, costs, capital)
    house = _House(engine=engine, venue=venue, log=log, benchmark=benchmark)
    watched = {one.symbol for one in companions}
    for time_ms, closed in batches(tape, start_ms, end_ms, max(engine.memory, _LEAST_LEAD)):
        candles = closed
        if watched:  # all that closed is known before the first decision, and only what is traded meets the venue
            engine.observe([candle for candle in closed if candle.symbol in watched])
            candles = [candle for candle in closed if candle.symbol not in watched]
        if candles:
            house.at_close(time_ms, candles, has_begun=time_ms >= start_ms, decides=start_ms <= time_ms < end_ms)
    times = np.unique(np.concatenate([one.open_time_ms for one in series]))
    return log.result(engine.portfolio, float(initial_capital), candles_per_year(times, series[0].timeframe))


@dataclass(frozen=True, kw_only=True, slots=True)
class _House:
    """Who meets the candles of a replay."""

    engine: Engine
    venue: SimulatedExchange
    log: _Log
    benchmark: _BuyAndHold

    def at_close(self, time_ms: int, candles: Sequence[Candle], *, has_begun: bool, decides: bool) -> None:
        """Candles that closed together meet the orders that wait, then the engine; before the beginning nobody acts."""
        for event in self.venue.on_candles(candles):
            self._tell(event)
        self.benchmark.on_candles(candles, buys=decides)
        if decides:
            for command in self.engine.on_candles(candles):
                for event in self.venue.submit(command):
                    self._tell(event)
        else:
            self.engine.observe(candles)
        if has_begun:
            self.log.on_close(time_ms, self.engine.portfolio, self.benchmark.portfolio.equity())

    def _tell(self, event: ExchangeEvent) -> None:
        self.engine.on_event(event)
        self.log.on_event(event)


def _check_leverage(series: Sequence[CandleSeries], costs: costs_.Config) -> None:
    for one in series:
        limit = one.instrument.maximum_leverage
        if Decimal(repr(costs.leverage)) > limit:
            raise OrderError(
                f"{one.symbol}: leverage {costs.leverage:g} is above the instrument's limit {limit}.",
                remedy="Lower `leverage` of the costs, or raise `maximum_leverage` of the instrument.",
            )


def _period(series: Sequence[CandleSeries], length: int, start_ms: int | None, end_ms: int | None) -> tuple[int, int]:
    """First decision and end of the decisions. Raises NotEnoughData when nothing could be decided between them."""
    full = [int(one.close_time_ms[length - 1]) for one in series if len(one) >= length]
    if not full:
        longest = max(len(one) for one in series)
        raise NotEnoughData(
            f"The longest history holds {longest} candles, a window takes {length}.",
            remedy="Bring more candles or a model with a shorter window.",
        )
    start = min(full) if start_ms is None else start_ms
    end = max(int(one.close_time_ms[-1]) for one in series) + 1 if end_ms is None else end_ms
    if not any(((one.close_time_ms >= max(start, first)) & (one.close_time_ms < end)).any()
               for one, first in zip([o for o in series if len(o) >= length], full, strict=True)):  # fmt: skip
        raise NotEnoughData(
            f"No candle with a full window of {length} closes between {utc(start)} and {utc(end)} UTC.",
            remedy="Choose a period that the history covers.",
        )
    return start, end


class _BuyAndHold:
    """The benchmark: equal shares of the capital buy each instrument at its first close, on the same venue."""

    def __init__(self, series: Sequence[CandleSeries], costs: costs_.Config, capital: Decimal) -> None:
        self._venue = SimulatedExchange([one.instrument for one in series], costs, capital)
        self._to_buy = {one.symbol: one.instrument for one in series}
        self._share = capital / len(series)
        self._waits: set[str] = set()
        # Without funding and leverage nothing can happen to a long position any more: the venue need not look.
        self._may_rest = costs.funding_rate == 0 and costs.leverage == 1
        self.portfolio = Portfolio(capital)

    def on_candles(self, candles: Sequence[Candle], *, buys: bool) -> None:
        """Let candles happen; with `buys`, buy at their close what was not bought yet."""
        if self._to_buy or self._waits or not self._may_rest:
            for event in self._venue.on_candles(candles):
                self.portfolio.apply(event)
                self._waits.discard(event.symbol)
        for candle in candles:
            self.portfolio.mark(candle.symbol, candle.close)
            if buys and candle.symbol in self._to_buy:
                instrument = self._to_buy.pop(candle.symbol)
                quantity = instrument.round_quantity(self._share / Decimal(repr(candle.close)))
                self._waits.add(candle.symbol)
                self._venue.submit(
                    SubmitOrder(
                        order_id=f"hold-{candle.symbol}",
                        symbol=candle.symbol,
                        side=Side.BUY,
                        quantity=quantity,
                        time_ms=candle.close_time_ms,
                    )
                )


class _Log:
    """Collects what happens, and makes the frames of the result."""

    def __init__(self, series: Sequence[CandleSeries]) -> None:
        # Columns, not rows: plain numbers cost the garbage collector nothing.
        self._times: list[int] = []
        self._equity: list[float] = []
        self._exposure: list[float] = []
        self._benchmark: list[float] = []
        self._cost_rows: list[tuple[float, ...]] = [(0.0, 0.0, 0.0, 0.0)]
        self._cost_starts: list[int] = [0]
        self._decisions: dict[str, list[Any]] = {name: [] for name in DECISION_SCHEMA}
        self._decision_columns = tuple(self._decisions.values())
        self._fills: list[OrderFilled] = []
        self._acts: list[guard_.GuardActed] = []
        self._trades = TradeBook({one.symbol: one.open_time_ms for one in series})
        self._stale = False

    def on_record(self, record: Decision | OrderDenied | guard_.GuardActed) -> None:
        """Keep decisions and the guard's acts; a denial is told in the reason of its decision already."""
        if isinstance(record, guard_.GuardActed):
            self._acts.append(record)
        elif isinstance(record, Decision):
            prediction = record.prediction
            times, symbols, sell, hold, buy, targets, reasons, votes = self._decision_columns
            times.append(record.time_ms)
            symbols.append(record.symbol)
            sell.append(None if prediction is None else prediction.probability_sell)
            hold.append(None if prediction is None else prediction.probability_hold)
            buy.append(None if prediction is None else prediction.probability_buy)
            targets.append(record.target)
            reasons.append(record.reason)
            votes.append(None if prediction is None or not prediction.votes else _ballot(prediction.votes))

    def on_event(self, event: ExchangeEvent) -> None:
        """Keep fills and funding; add a rejection to the reason of the decision that led to it."""
        self._stale = True
        if isinstance(event, OrderFilled):
            self._fills.append(event)
            self._trades.on_fill(event)
        elif isinstance(event, FundingPaid):
            self._trades.on_funding(event)
        elif isinstance(event, OrderRejected):
            symbols = self._decisions["symbol"]
            last = next(i for i in reversed(range(len(symbols))) if symbols[i] == event.symbol)
            self._decisions["reason"][last] += f"; order rejected: {event.reason}"

    def on_close(self, time_ms: int, portfolio: Portfolio, benchmark: float) -> None:
        """Keep one row of the equity curve; of the costs only the rows at which they changed."""
        if self._stale:
            self._cost_starts.append(len(self._times))
            self._cost_rows.append(
                (
                    float(portfolio.fees),
                    float(portfolio.spread_slippage),
                    float(portfolio.funding),
                    float(portfolio.turnover),
                )
            )
            self._stale = False
        equity = portfolio.equity()
        self._times.append(time_ms)
        self._equity.append(equity)
        self._exposure.append(portfolio.notional() / equity if equity > 0 else 0.0)
        self._benchmark.append(benchmark)

    def result(self, portfolio: Portfolio, initial_capital: float, per_year: float) -> BacktestResult:
        """Close the books."""
        marks = {symbol: portfolio.last_mark(symbol) for symbol in {fill.symbol for fill in self._fills}}
        lengths = np.diff([*self._cost_starts, len(self._times)])
        costs = np.repeat(np.asarray(self._cost_rows), lengths, axis=0)
        columns = [self._times, self._equity, self._exposure, self._benchmark, *costs.T]
        return BacktestResult(
            equity=_frame(dict(zip(EQUITY_SCHEMA, columns, strict=True)), EQUITY_SCHEMA),
            trades=self._trades.finish(marks, self._times[-1]),
            fills=_fill_frame(self._fills),
            decisions=_frame(self._decisions, DECISION_SCHEMA),
            guard=_guard_frame(self._acts),
            initial_capital=initial_capital,
            candles_per_year=per_year,
        )


def _ballot(votes: Sequence[Vote]) -> list[dict[str, Any]]:
    return [
        {
            "model": vote.model,
            "sell": vote.probability_sell,
            "hold": vote.probability_hold,
            "buy": vote.probability_buy,
        }
        for vote in votes
    ]


def _frame(columns: dict[str, Any], schema: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(columns, schema=schema)


def _fill_frame(fills: list[OrderFilled]) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {
        "time": [fill.time_ms for fill in fills],
        "symbol": [fill.symbol for fill in fills],
        "order_id": [fill.order_id for fill in fills],
        "side": [str(fill.side) for fill in fills],
        "quantity": [float(fill.quantity) for fill in fills],
        "price": [float(fill.price) for fill in fills],
        "fee": [float(fill.fee) for fill in fills],
        "reason": [str(fill.reason) for fill in fills],
    }
    return _frame(columns, FILL_SCHEMA)


def _guard_frame(acts: list[guard_.GuardActed]) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {name: [] for name in GUARD_SCHEMA}
    for one in acts:
        for name, value in zip(
            columns, (one.time_ms, one.symbol, one.action, one.score, one.threshold, one.reason), strict=True
        ):
            columns[name].append(value)
    return _frame(columns, GUARD_SCHEMA)
