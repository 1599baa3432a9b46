"""The simulated exchange for tests: a tape, clients on it, and a server in a thread for clients that block."""

import asyncio
import random
import threading
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal

import numpy as np

from triptych.domain import CandleSeries, Instrument, SystemClock, Timeframe
from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.bybit.gateway import BybitGateway
from triptych.exchanges.bybit.limits import Config as LimitConfig
from triptych.exchanges.bybit.limits import Limiter
from triptych.exchanges.bybit.rest import Config as RestConfig
from triptych.exchanges.bybit.rest import RestClient
from triptych.exchanges.bybit.socket import WebSocketConnector
from triptych.exchanges.bybit.stream import Config as StreamConfig
from triptych.exchanges.bybit.transport import HttpTransport
from triptych.exchanges.bybit.venue_clock import VenueClock
from triptych.exchanges.simulated import Config
from triptych.exchanges.simulated.server import BybitServer
from triptych.exchanges.timing import SystemTimer

START = 1_700_006_400_000
MINUTE = 60_000
COSTS = Config(leverage=5)
BITCOIN = Instrument(
    symbol="BTCUSDT", venue="bybit", price_step=Decimal("0.1"), quantity_step=Decimal("0.001"),
    minimum_quantity=Decimal("0.001"), minimum_notional=Decimal(5), maximum_leverage=Decimal(100),
)  # fmt: skip


def tape(n=200, seed=3, instrument=BITCOIN):
    """A walk of one-minute candles around 20 000."""
    generator = np.random.default_rng(seed)
    close = 20_000 + np.cumsum(generator.normal(0, 15, n))
    open_ = np.concatenate([[20_000.0], close[:-1]])
    high = np.maximum(open_, close) + generator.uniform(0, 10, n)
    low = np.minimum(open_, close) - generator.uniform(0, 10, n)
    values = np.round(np.stack([open_, high, low, close, generator.uniform(50, 90, n)], axis=1), 1)
    times = START + MINUTE * np.arange(n)
    return CandleSeries(instrument=instrument, timeframe=Timeframe.parse("1m"), open_time_ms=times, values=values)


@asynccontextmanager
async def gateway_on(server, *, heartbeat_s=20.0, grace_s=10.0, key="key", secret="secret"):
    """Our own gateway on a server, over real sockets."""
    timer, clock, credentials = SystemTimer(), VenueClock(SystemClock()), Credentials(key=key, secret=secret)
    connector = WebSocketConnector()
    async with HttpTransport() as transport:
        limits = LimitConfig(order_rate_per_s=100, read_rate_per_s=100)
        rest = RestClient(
            server.hosts.rest_url, transport=transport, timer=timer, clock=clock, limiter=Limiter(limits, timer),
            credentials=credentials, config=RestConfig(back_off_s=0.01, longest_back_off_s=0.05),
            chance=random.Random(1),
        )  # fmt: skip
        try:
            yield BybitGateway(
                rest, server.hosts, credentials, connector=connector, timer=timer,
                stream_config=StreamConfig(
                    heartbeat_s=heartbeat_s, grace_s=grace_s, back_off_s=0.01, longest_back_off_s=0.05
                ),
                chance=random.Random(2),
            )  # fmt: skip
        finally:
            await connector.close()


class Listener:
    """Collects what a stream says, in a task of its own."""

    def __init__(self, messages):
        self.heard = []
        self._messages = messages
        self._changed = asyncio.Event()

    async def __aenter__(self):
        self._task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *details):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._messages.aclose()

    async def _listen(self):
        try:
            async for message in self._messages:
                self.heard.append(message)
                self._changed.set()
        finally:
            self._changed.set()

    async def until(self, condition):
        """Wait until something that was heard fulfils the condition; returns the first."""
        async with asyncio.timeout(20):
            while True:
                for message in self.heard:
                    if condition(message):
                        return message
                if self._task.done():
                    self._task.result()
                self._changed.clear()
                await self._changed.wait()


@contextmanager
def in_thread(server):
    """The server in a loop of its own, for clients that block. Yields a function that runs a coroutine there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout=30)

    try:
        run(server.__aenter__())
        yield run
    finally:
        run(server.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()


def server_on(series=None, **options):
    """A server on a tape of which 50 candles are history."""
    return BybitServer([tape() if series is None else series], **({"known": 50, "costs": COSTS} | options))
