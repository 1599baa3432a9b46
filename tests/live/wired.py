"""A house on the simulated exchange over real sockets, whose model says what the test wants it to."""

import asyncio
import contextlib
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import numpy as np
from benchmarks._trading_house import Patience, house_on, open_journal
from tests.fakes.proxy import Proxy
from tests.fakes.served import server_on

from triptych.exchanges.bybit import hosts
from triptych.exchanges.bybit.rest import Config as RestConfig
from triptych.exchanges.bybit.stream import Config as StreamConfig
from triptych.inference.base import AbstractPredictor
from triptych.live.journal import NoteWritten, OrderAnswered, StepRecorded
from triptych.live.journal.database import entries

BTC = "BTCUSDT"
SILENCE_S = 0.8
"""Heartbeat and grace together: what comes to 30 s where nothing is set."""
PATIENCE = replace(
    Patience(),
    stream=StreamConfig(heartbeat_s=0.4, grace_s=0.4, back_off_s=0.02, longest_back_off_s=0.1),
    rest=RestConfig(timeout_s=0.4, receive_window_ms=700, back_off_s=0.02, longest_back_off_s=0.05),
)


class Wish(AbstractPredictor):
    """Predicts what it is told to: `says` is 1 for a rise, -1 for a fall, 0 for neither."""

    name, length = "wish", 3

    def __init__(self, says=0):
        self.says = says

    def probabilities(self, windows):
        row = {1: (0.1, 0.1, 0.8), -1: (0.8, 0.1, 0.1), 0: (0.1, 0.8, 0.1)}[self.says]
        return np.tile(np.array(row, dtype=np.float32), (len(windows), 1))


class Scene:
    """A server, a house on it, and the proxies through which its two streams go."""

    def __init__(self, server, house, wish, proxies):
        self.server, self.house, self.wish, self.proxies = server, house, wish, proxies

    @property
    def trader(self):
        return self.house.trader

    async def until(self, condition, seconds=15):
        """Wait until the condition is true; returns how long it took."""
        started = asyncio.get_running_loop().time()
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)
        return asyncio.get_running_loop().time() - started

    async def close(self, count=1):
        """Let candles close, each decided on before the next."""
        for _ in range(count):
            before = self.house.runner.decisions
            await self.server.step()
            await self.until(lambda before=before: self.house.runner.decisions > before)

    def held(self):
        """Signed quantity: by the books, at the venue."""
        return self.house.engine.portfolio.position(BTC).quantity, self.server.desk.venue.position(BTC).quantity

    def sent(self):
        """Ids of our orders at the venue."""
        return [one.link_id for one in self.server.desk.orders.values() if one.link_id]

    def steps(self):
        return [entry.record for entry in self.house.journal.entries(kinds=(StepRecorded,))]

    def answers(self):
        return [entry.record.outcome for entry in self.house.journal.entries(kinds=(OrderAnswered,))]

    def denials(self):
        return [one.reason for step in self.steps() for one in step.denials]

    def notes(self):
        return [entry.record.text for entry in self.house.journal.entries(kinds=(NoteWritten,))]

    def told(self, topic):
        return [text for _, about, text, _ in self.house.said if about == topic]


@asynccontextmanager
async def scene(path, *, patience=PATIENCE, says=0, stop_loss_percent=5.0, policy="freeze", series=None, **server):
    """Everything is up and one close has been decided on."""
    wish = Wish(says)
    async with (
        server_on(series, **server) as exchange,
        Proxy(exchange.port)() as public,
        Proxy(exchange.port)() as private,
    ):
        places = hosts.Config(
            environment="custom", rest=exchange.hosts.rest, public=f"ws://127.0.0.1:{public.port}/v5/public",
            private=f"ws://127.0.0.1:{private.port}/v5/private",
        )  # fmt: skip
        journal = open_journal(path / "j.db")
        journal.lease.acquire()
        async with house_on(
            places, [BTC], journal, patience=patience, predictor=wish, stop_loss_percent=stop_loss_percent,
            policy=policy,
        ) as house:  # fmt: skip
            await house.runner.start(house.engine.memory)
            running = asyncio.create_task(house.runner.run(asyncio.Event()))
            found = Scene(exchange, house, wish, {"public": public, "private": private})
            try:
                await found.until(lambda: len(exchange._sessions.open) == 2)
                await asyncio.sleep(0.1)  # subscriptions are confirmed
                await found.close()
                yield found
                if running.done():
                    running.result()
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                house.close()


def play(path, act, **options):
    """Run one scene: `act` is awaited with it."""

    async def run():
        async with scene(path, **options) as found:
            return await act(found)

    return asyncio.run(run())


@contextmanager
def full_disk(journal):
    """SQLite's own limit of a database's size: every append is answered as by a full disk."""
    database = journal._database
    with database.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()

    def limit(connection, _record=None, most=pages):
        connection.execute(f"PRAGMA max_page_count = {most}").close()

    import sqlalchemy as sa

    database.dispose()
    sa.event.listen(database, "connect", limit)
    words = {"name": "filler", "time_ms": 0, "token": 0, "kind": "", "body": " " * 100}
    with contextlib.suppress(sa.exc.OperationalError), database.connect() as connection:
        while True:  # the room that is left in the last pages
            connection.execute(entries.insert().values(words))
            connection.commit()
    database.dispose()
    try:
        yield
    finally:
        sa.event.remove(database, "connect", limit)
        database.dispose()
