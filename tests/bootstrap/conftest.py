"""A tape of the trained run, and a journal beside its account, for tests of sessions, reconciling and starts."""

import asyncio

import pytest
from tests.fakes.served import BITCOIN, COSTS, gateway_on, in_thread
from tests.fakes.served import tape as served_tape
from tests.live.house import CAPITAL, House

from triptych.bootstrap import open_run
from triptych.bootstrap.candles import load_candles
from triptych.domain import ManualClock, SystemClock
from triptych.exchanges.simulated.server import BybitServer
from triptych.market.frames import to_panel
from triptych.settings.live import load_live_settings


@pytest.fixture
def tape(trained, tmp_path):
    """The candles of the trained run, as a file."""
    path = tmp_path / "tape.parquet"
    to_panel(load_candles(open_run(trained).recipe).series).write_parquet(path)
    return path


@pytest.fixture
def settings():
    return load_live_settings(overrides=["name=micro", "capital=10000", "model_deadline_seconds=60"])


@pytest.fixture
def traded(tmp_path):
    """A server, its `run`, and the journal of a house that holds a position there with a stop, and has stopped."""
    series = served_tape()
    server = BybitServer([series], known=50, costs=COSTS, capital=CAPITAL)
    with in_thread(server) as run:

        async def trade():
            async with gateway_on(server) as gateway:
                # The tape is years old: by its own clock no entry is late.
                market = ManualClock(int(series.close_time_ms[49]))
                house = House(
                    tmp_path / "j.db", [BITCOIN], gateway, SystemClock(), name="demo", market_clock=market,
                    started_ms=SystemClock().now_ms() - 60_000,
                )  # fmt: skip
                await house.trader.start()
                for row in range(45, 50):
                    await house.trader.observe([series.candle(row)])
                row = 50
                while not house.engine.portfolio.position("BTCUSDT").quantity or house.trader.books.under_way:
                    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(server.step(), server_loop(run)))
                    await house.trader.on_candles([series.candle(row)])
                    row += 1
                await house.trader.reconcile()
                house.journal.lease.release()
                house.close()

        asyncio.run(trade())
        yield server, run, tmp_path / "j.db"


def server_loop(run):
    return run.__closure__[0].cell_contents
