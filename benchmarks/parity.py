"""One tape through the three modes in one run: backtest, paper, and live over the protocol. Every decision is compared.

The tape holds several instruments; positions are protected by a trailing stop, orders are filled in part (the venue
gives no more than a share of a candle's volume), funding is paid every hour. The same rule decides in each mode, by the
same engine. Compared are the decisions (time, instrument, target, reason), the fills (time, instrument, side, quantity,
price, fee, why) and the equity at the end; what differs is counted, and must be 0. A stop that a house has moved is a
stop to the venue, which cannot tell it from one that never moved: the two reasons count as one.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks._table import Row, main
from benchmarks._trading_house import (
    CAPITAL,
    MINUTE,
    NAME,
    House,
    LastMove,
    house_on,
    house_on_paper,
    open_journal,
)
from benchmarks.chaos.segment import tape
from triptych.backtest.replay import run_backtest
from triptych.domain import CandleSeries, FillReason, OrderFilled
from triptych.exchanges.simulated import Config as Costs
from triptych.exchanges.simulated.server import BybitServer
from triptych.live.journal import StepRecorded
from triptych.strategies import Config as StrategyConfig
from triptych.strategies import create_strategy
from triptych.trading import execution, risk, sizing

SYMBOLS = ("BTCUSDT", "ETHUSDT")
KNOWN = 60
COSTS = Costs(leverage=5, fill_share=0.004, funding_rate=0.0001, funding_interval_hours=1)
EXECUTION = execution.Config(trailing_stop=0.1, protection_unit="percent")
PATIENCE_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Traded:
    """What one mode has done.

    Attributes:
        decisions: time (UTC ms), symbol, target, reason.
        fills: time (UTC ms), symbol, side, quantity, price, fee, reason.
        equity: at the last close, quote currency.
    """

    decisions: list[tuple[Any, ...]]
    fills: list[tuple[Any, ...]]
    equity: float


def backtest(series: Sequence[CandleSeries]) -> Traded:
    """The tape as history."""
    found = run_backtest(
        series, LastMove(), strategy=create_strategy(StrategyConfig()), sizing=sizing.Config(), execution=EXECUTION,
        risk=risk.Config(), costs=COSTS, initial_capital=float(CAPITAL), name=NAME, start_ms=_first_close(series),
    )  # fmt: skip
    in_ms = pl.col("time").dt.epoch("ms")
    decisions = found.decisions.with_columns(in_ms).select("time", "symbol", "target", "reason")
    fills = found.fills.with_columns(in_ms).select("time", "symbol", "side", "quantity", "price", "fee", "reason")
    return Traded(
        decisions=sorted(decisions.iter_rows()),
        fills=sorted((*row[:6], _why(row[6])) for row in fills.iter_rows()),
        equity=found.equity["equity"][-1],
    )


async def paper(series: Sequence[CandleSeries], folder: Path) -> Traded:
    """The tape played to a house, its orders filled by the simulated venue."""
    journal = open_journal(folder / "paper.db")
    assert journal.lease is not None
    journal.lease.acquire()
    with house_on_paper(
        series, _first_close(series) - MINUTE.milliseconds, journal, costs=COSTS, execution_config=EXECUTION
    ) as house:
        await house.runner.start(house.engine.memory)
        await house.runner.run(asyncio.Event())
        return _of(house)


async def over_the_protocol(series: Sequence[CandleSeries], folder: Path) -> Traded:
    """The tape served by the simulated exchange, traded by a house over REST and WebSocket."""
    journal = open_journal(folder / "live.db")
    assert journal.lease is not None
    journal.lease.acquire()
    async with (
        BybitServer(series, known=KNOWN, costs=COSTS, capital=CAPITAL) as server,
        house_on(server.hosts, [one.symbol for one in series], journal, execution_config=EXECUTION) as house,
    ):
        await house.runner.start(house.engine.memory)
        running = asyncio.create_task(house.runner.run(asyncio.Event()))
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not all(len(one.topics) for one in server._sessions.open) or len(server._sessions.open) < 2:
                    await asyncio.sleep(0.01)
            for count in range(1, len(series[0]) - KNOWN + 1):
                await server.step()
                async with asyncio.timeout(PATIENCE_S):
                    while house.runner.decisions < count:
                        await asyncio.sleep(0.002)
                        if running.done():
                            running.result()
            return _of(house)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def _first_close(series: Sequence[CandleSeries]) -> int:
    """Close of the first candle that is decided on, UTC ms."""
    return int(series[0].close_time_ms[KNOWN])


def _why(reason: str) -> str:
    return "stop" if reason in (FillReason.STOP_LOSS, FillReason.TRAILING_STOP) else str(reason)


def _of(house: House) -> Traded:
    steps = [entry.record for entry in house.journal.entries(kinds=(StepRecorded,))]
    fills = [entry.record for entry in house.journal.entries(kinds=(OrderFilled,))]
    house.journal.close()
    return Traded(
        decisions=sorted(
            (one.time_ms, one.symbol, one.target, one.reason)
            for step in steps
            if isinstance(step, StepRecorded)
            for one in step.decisions
        ),
        fills=sorted(
            (
                one.time_ms,
                one.symbol,
                str(one.side),
                float(one.quantity),
                float(one.price),
                float(one.fee),
                _why(one.reason),
            )
            for one in fills
            if isinstance(one, OrderFilled)
        ),
        equity=house.engine.portfolio.equity(),
    )


@dataclass(frozen=True, kw_only=True)
class Parity:
    """The same tape in three modes. A backtest decides no more at its last candle, so that one is left out."""

    backtest: Traded
    paper: Traded
    live: Traded

    def decisions(self, mode: Traded) -> list[tuple[Any, ...]]:
        """Those of a mode up to the last of the backtest."""
        last_ms = self.backtest.decisions[-1][0]
        return [one for one in mode.decisions if one[0] <= last_ms]

    def differences(self, mode: Traded) -> tuple[int, int]:
        """Decisions, and fills, that stand in one of backtest and `mode` and not in the other."""
        decisions = set(self.backtest.decisions) ^ set(self.decisions(mode))
        return len(decisions), len(set(self.backtest.fills) ^ set(mode.fills))


async def compare(closes: int, symbols: Sequence[str] = SYMBOLS, seed: int = 3) -> Parity:
    """Play a tape of so many closes (after those that are history) through all three."""
    series = [tape(symbol, seed, KNOWN + closes) for symbol in symbols]
    with tempfile.TemporaryDirectory() as name:
        return Parity(
            backtest=backtest(series),
            paper=await paper(series, Path(name)),
            live=await over_the_protocol(series, Path(name)),
        )


def rows(quick: bool) -> list[Row]:
    """How much was compared, and what differed."""
    found = asyncio.run(compare(120 if quick else 1_000))
    partly = sum(1 for one in found.backtest.fills if one[3] < max(fill[3] for fill in found.backtest.fills) / 2)
    made = [
        Row(name="decisions compared", ours=len(found.backtest.decisions), unit="of one tape, two instruments"),
        Row(name="fills compared", ours=len(found.backtest.fills), unit="the same"),
        Row(name="of them by the stop, most of them trailed", ours=_by_stop(found.backtest), unit="the same"),
        Row(name="of them less than half of the largest", ours=partly, unit="the same"),
    ]
    for name, mode in (("paper", found.paper), ("live over the protocol", found.live)):
        decisions, fills = found.differences(mode)
        made += [
            Row(name=f"{name}: decisions that differ from the backtest's", ours=decisions, unit="of them"),
            Row(name=f"{name}: fills that differ from the backtest's", ours=fills, unit="of them"),
            Row(name=f"{name}: equity beside the backtest's", ours=mode.equity - found.backtest.equity, unit="USDT"),
        ]
    return made


def _by_stop(mode: Traded) -> int:
    return sum(1 for one in mode.fills if one[6] == "stop")


if __name__ == "__main__":
    main(rows, "One tape through backtest, paper and live over the protocol: what differs.")
