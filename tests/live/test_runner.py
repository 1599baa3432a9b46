import asyncio
import contextlib
import dataclasses

import polars as pl
import pytest
from tests.fakes.market import walk
from tests.live.house import CAPITAL, COSTS, House, LastMove, paper, parts

from triptych.backtest.replay import run_backtest
from triptych.domain import OrderFilled
from triptych.domain.errors import ExchangeError, LeaseError
from triptych.exchanges.simulated.tape import TapeSource
from triptych.live.journal import StepRecorded
from triptych.live.runner import Config, Runner

SERIES = [walk(120, seed=3, symbol="AAA", momentum=0.3), walk(120, seed=4, symbol="BBB", momentum=0.3)]
INSTRUMENTS = [one.instrument for one in SERIES]
SYMBOLS = [one.symbol for one in INSTRUMENTS]
HOUR_MS = 3_600_000


def set_up(path, tape, venue, **options):
    house = House(path / "j.db", INSTRUMENTS, venue, tape.clock)
    runner = Runner(
        trader=house.trader, candles=tape, gateway=venue, symbols=SYMBOLS, timeframe=SERIES[0].timeframe,
        clock=tape.clock, metrics=house.metrics, config=Config(pulse_seconds=0.02), note=house.note,
        before=venue.on_candles, **options,
    )  # fmt: skip
    house.trader._data_age_s = runner.close_age_s
    return contextlib.closing(house), runner


def play(path, tape, venue):
    """The whole tape; returns the house's decisions and fills, and the runner."""

    async def run():
        closing, runner = set_up(path, tape, venue)
        with closing as house:
            await runner.start(house.engine.memory)
            await runner.run(asyncio.Event())
            steps = [entry.record for entry in house.journal.entries(kinds=(StepRecorded,))]
            fills = [entry.record for entry in house.journal.entries(kinds=(OrderFilled,))]
            return house, steps, fills, runner

    return asyncio.run(run())


def figures(fills):
    """By time: instruments are asked side by side, so those of one close may be written in either order."""
    return sorted((f.time_ms, f.symbol, float(f.price), float(f.quantity)) for f in fills)


def figures_of_backtest(series):
    """What `figures` should be by the backtest of the same candles."""
    result = run_backtest(series, LastMove(), costs=COSTS, initial_capital=float(CAPITAL), name="demo", **parts())
    rows = result.fills.with_columns(pl.col("time").dt.epoch("ms")).select("time", "symbol", "price", "quantity")
    return sorted(rows.iter_rows())


def test_the_runner_on_a_tape_trades_as_the_backtest_does(tmp_path):
    tape = TapeSource(SERIES, start_ms=0)
    _, venue = paper(SERIES, tape.clock)
    _, _, fills, runner = play(tmp_path, tape, venue)
    assert figures(fills) == figures_of_backtest(SERIES)
    assert len(fills) > 80
    assert runner.decisions == len(SERIES[0])


def test_a_close_at_which_another_instrument_did_not_trade_is_decided_on_as_in_the_backtest(tmp_path):
    kept = [row for row in range(120) if row not in (40, 41, 42, 70, 119)]
    holed = [SERIES[0], dataclasses.replace(
        SERIES[1], open_time_ms=SERIES[1].open_time_ms[kept], values=SERIES[1].values[kept]
    )]  # fmt: skip
    tape = TapeSource(holed, start_ms=0)
    _, venue = paper(holed, tape.clock)
    _, steps, fills, runner = play(tmp_path, tape, venue)
    assert figures(fills) == figures_of_backtest(holed)
    assert runner.decisions == 120
    assert {step.close_ms for step in steps} == set(SERIES[0].close_time_ms.tolist())


class Faulty(TapeSource):
    """Loses candles of the stream, tells some twice, and cannot always be asked."""

    refusals = 0
    told_ms = -1

    async def stream(self):
        async for item in super().stream():
            row = getattr(item, "open_time_ms", 0) // HOUR_MS
            if getattr(item, "symbol", "") == "AAA" and row % 5 == 3:
                continue
            yield item
            if row % 4 == 1:
                yield item

    async def history(self, symbol, start_ms, end_ms):
        self.refusals += 1
        if self.refusals % 3 == 0 and self.refusals > 3:
            raise ExchangeError("too many questions")
        return await super().history(symbol, start_ms, end_ms)


def test_a_stream_that_loses_and_doubles_leads_to_the_candles_of_history(tmp_path):
    tape = Faulty(SERIES, start_ms=20 * HOUR_MS)
    _, venue = paper(SERIES, tape.clock)
    seen = []
    venue_on_candles = venue.on_candles
    venue.on_candles = lambda candles: (seen.extend(candles), venue_on_candles(candles))
    _, steps, _, runner = play(tmp_path, tape, venue)
    for one in SERIES:
        mine = [candle for candle in seen if candle.symbol == one.symbol]
        assert mine == [one.candle(row) for row in range(20, len(one))]
    assert runner.feed.repaired > 10
    closes = [step.close_ms for step in steps]
    assert closes == sorted(set(closes))


def test_after_a_restart_it_goes_on_where_it_was(tmp_path):
    half = [dataclasses.replace(one, open_time_ms=one.open_time_ms[:60], values=one.values[:60]) for one in SERIES]
    tape = TapeSource(half, start_ms=0)
    _, venue = paper(SERIES, tape.clock)
    play(tmp_path, tape, venue)
    rest = TapeSource(SERIES, start_ms=60 * HOUR_MS)
    venue._clock = rest.clock

    async def run():
        venue._outbox = asyncio.Queue()  # each loop has its own
        closing, runner = set_up(tmp_path, rest, venue)
        with closing as house:
            await runner.start(house.engine.memory)
            await runner.run(asyncio.Event())
            return [entry.record for entry in house.journal.entries(kinds=(OrderFilled,))]

    fills = asyncio.run(run())
    whole = TapeSource(SERIES, start_ms=0)
    _, fresh = paper(SERIES, whole.clock)
    _, _, expected, _ = play(tmp_path / "whole", whole, fresh)
    assert figures(fills) == figures(expected)


def test_it_stops_when_it_is_told_to(tmp_path):
    tape = TapeSource(SERIES, start_ms=0, speed=1e-9)  # the next candle is years away
    _, venue = paper(SERIES, tape.clock)

    async def run():
        closing, runner = set_up(tmp_path, tape, venue)
        with closing as house:
            await runner.start(house.engine.memory)
            stop = asyncio.Event()
            asyncio.get_running_loop().call_later(0.1, stop.set)
            await asyncio.wait_for(runner.run(stop), 5)
            assert stop.is_set()
            assert runner.decisions == 0

    asyncio.run(run())


def test_it_ends_when_another_takes_over(tmp_path):
    tape = TapeSource(SERIES, start_ms=0, speed=1e-9)
    _, venue = paper(SERIES, tape.clock)

    async def run():
        closing, runner = set_up(tmp_path, tape, venue)
        runner._config = Config(pulse_seconds=0.02, lease_seconds=3)
        with closing as house:
            await runner.start(house.engine.memory)
            tape.clock.set(tape.clock.now_ms() + 20_000)
            other = House(tmp_path / "j.db", INSTRUMENTS, venue, tape.clock)
            with contextlib.closing(other), pytest.raises(LeaseError):
                await asyncio.wait_for(runner.run(asyncio.Event()), 5)

    asyncio.run(run())


def test_a_reconciliation_that_hangs_does_not_cost_the_lease(tmp_path):
    tape = TapeSource(SERIES, start_ms=0, speed=1e-9)
    _, venue = paper(SERIES, tape.clock)

    async def run():
        closing, runner = set_up(tmp_path, tape, venue)
        runner._config = Config(pulse_seconds=0.01, reconcile_seconds=0.01, lease_seconds=3)
        with closing as house:
            await runner.start(house.engine.memory)
            renewed, asked, stop = [], asyncio.Event(), asyncio.Event()
            renew = house.journal.lease.renew
            house.journal.lease.renew = lambda: renewed.append(renew())

            async def hang():
                asked.set()
                await asyncio.Event().wait()

            house.trader.reconcile = hang
            running = asyncio.create_task(runner.run(stop))
            await asyncio.wait_for(asked.wait(), 5)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10):
                    while len(renewed) < 2:
                        await asyncio.sleep(0.05)
            meanwhile = len(renewed)
            stop.set()
            await running
            assert meanwhile >= 2
            assert house.journal.lease.is_surely_ours()

    asyncio.run(run())
