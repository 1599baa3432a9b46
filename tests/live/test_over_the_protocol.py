"""The whole house against the simulated exchange over real sockets: what it trades is what the backtest trades."""

import asyncio
import contextlib

import polars as pl
from tests.fakes.served import BITCOIN, COSTS, MINUTE, START, server_on, tape
from tests.live.house import CAPITAL, House, LastMove, parts

from triptych.backtest.replay import run_backtest
from triptych.domain import OrderFilled, SystemClock, Timeframe
from triptych.exchanges.bybit.connection import BybitConnection
from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.bybit.limits import Config as LimitConfig
from triptych.live.following import Following
from triptych.live.journal import OrderAnswered, StepRecorded
from triptych.live.runner import Config, Runner

KNOWN = 50
CANDLES = 120


@contextlib.asynccontextmanager
async def house_on(server, path, engine=None):
    """A house that is connected to the server and has started; its runner runs."""
    limits = LimitConfig(order_rate_per_s=100, read_rate_per_s=100)
    async with BybitConnection(server.hosts, limits=limits, seed=1) as connection:
        gateway = connection.gateway(Credentials(key="key", secret="secret"))
        listing = await connection.market.listing("BTCUSDT")
        candles = Following(connection.candles(["BTCUSDT"], Timeframe(MINUTE)), START + KNOWN * MINUTE)
        house = House(
            path / "j.db", [listing.instrument], gateway, SystemClock(), engine=engine, market_clock=candles.clock
        )
        runner = Runner(
            trader=house.trader, candles=candles, gateway=gateway, symbols=["BTCUSDT"], timeframe=Timeframe(MINUTE),
            clock=candles.clock, metrics=house.metrics, config=Config(), note=house.note,
        )  # fmt: skip
        house.trader._data_age_s = runner.close_age_s
        await runner.start(house.engine.memory)
        running = asyncio.create_task(runner.run(asyncio.Event()))
        try:
            yield house, runner
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            house.close()


async def decided(runner, count):
    """Wait until so many closes were decided on."""
    for _ in range(2_000):
        if runner.decisions >= count:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{runner.decisions} decisions of {count}")


def test_the_house_trades_over_the_wire_what_the_backtest_trades(tmp_path):
    async def trade():
        async with server_on(known=KNOWN, costs=COSTS, capital=CAPITAL) as server, house_on(server, tmp_path) as found:
            house, runner = found
            await asyncio.sleep(0.2)  # both streams are up
            for n in range(CANDLES):
                await server.step()
                await decided(runner, n + 1)
            assert house.trader.reasons() == {}
            fills = [entry.record for entry in house.journal.entries(kinds=(OrderFilled,))]
            answers = [entry.record.outcome for entry in house.journal.entries(kinds=(OrderAnswered,))]
            steps = [entry.record for entry in house.journal.entries(kinds=(StepRecorded,))]
            return fills, answers, steps, server.desk.venue.position("BTCUSDT"), house.engine.portfolio

    fills, answers, steps, held, portfolio = asyncio.run(trade())
    expected = run_backtest(
        [tape().head(KNOWN + CANDLES)], LastMove(), costs=COSTS, initial_capital=float(CAPITAL), name="demo",
        start_ms=START + (KNOWN + 1) * MINUTE, **parts(),
    )  # fmt: skip
    rows = expected.fills.with_columns(pl.col("time").dt.epoch("ms")).select("time", "price", "quantity", "fee")
    assert [(f.time_ms, float(f.price), float(f.quantity), float(f.fee)) for f in fills] == list(rows.iter_rows())
    assert len(fills) > 40
    assert set(answers) == {"accepted"}
    decisions = [(d.time_ms, d.target, d.reason) for step in steps for d in step.decisions]
    in_ms = expected.decisions.with_columns(pl.col("time").dt.epoch("ms"))
    assert decisions[: len(in_ms)] == list(in_ms.select("time", "target", "reason").iter_rows())
    assert portfolio.position("BTCUSDT").quantity == held.quantity
    assert BITCOIN.symbol == "BTCUSDT"
