"""The journal on a PostgreSQL server that stops answering: a whole house over real sockets."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from benchmarks._trading_house import NAME, house_on
from tests.fakes.postgres import postgres_binaries, postgres_server
from tests.fakes.served import server_on
from tests.live.journal.test_bounded import stopped
from tests.live.wired import BTC, PATIENCE, Scene, Wish

from triptych.domain import SystemClock
from triptych.live.journal import Journal, NoteWritten, Switch

pytestmark = pytest.mark.skipif(postgres_binaries() is None, reason="no PostgreSQL server is installed")


@pytest.fixture(scope="module")
def url():
    with postgres_server() as address:
        yield address.replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))


@asynccontextmanager
async def holding(url, name):
    """A house whose journal is on the server, and that holds a position."""
    wish = Wish(1)
    async with server_on() as exchange:
        journal = Journal.open(url, name, owner="test", clock=SystemClock(), lease_ms=3_000)
        journal.lease.acquire()
        async with house_on(exchange.hosts, [BTC], journal, patience=PATIENCE, predictor=wish) as house:
            await house.runner.start(house.engine.memory)
            running = asyncio.create_task(house.runner.run(asyncio.Event()))
            scene = Scene(exchange, house, wish, {})
            try:
                await asyncio.sleep(0.5)
                await scene.close(3)
                assert scene.held()[1] > 0
                yield scene
                if running.done():
                    running.result()
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                house.close()


async def flat(scene):
    await scene.server.step()
    await scene.until(lambda: scene.held()[1] == 0)


def test_a_postgresql_server_that_stands_still_keeps_no_kill_from_closing(url):
    async def act():
        async with holding(url, f"{NAME} stalled") as scene:
            before = len(scene.sent())
            with stopped(url):
                started = time.monotonic()
                await scene.trader.turn(Switch.KILLED, by="anna", reason="smoke")
                assert time.monotonic() - started < 10
                assert len(scene.sent()) == before + 1
                await flat(scene)
                assert scene.house.journal.marker.kept().by == "anna"
            await scene.until(lambda: not scene.trader.books.kept_aside, seconds=20)
            assert scene.house.journal.switch().switch is Switch.KILLED
            assert scene.house.journal.marker.kept() is None

    asyncio.run(act())


def test_a_kill_closes_even_when_nobody_can_tell_who_holds_the_lease(url):
    async def act():
        async with holding(url, f"{NAME} out of reach") as scene:
            before = len(scene.sent())
            with stopped(url):
                scene.trader.books.write(NoteWritten(topic="filler", text="it is noticed"))
                assert scene.trader.books.kept_aside
                scene.house.journal.lease._renewed_s -= 60.0  # as if the trouble had lasted for a minute
                await scene.trader.turn(Switch.KILLED, by="anna", reason="smoke")
                assert len(scene.sent()) == before + 1
                told = "nobody can tell who holds the lease: only what closes is sent, for the kill"
                assert told in scene.told("journal")
                await flat(scene)
            await scene.until(lambda: not scene.trader.books.kept_aside, seconds=20)
            assert scene.house.journal.switch().switch is Switch.KILLED

    asyncio.run(act())
