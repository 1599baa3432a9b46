"""A wire made by hand: time that passes only when somebody sleeps, replies and messages from a script."""

import asyncio
import random
from collections import deque

from triptych.domain import ManualClock
from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.bybit.limits import Config as LimitConfig
from triptych.exchanges.bybit.limits import Limiter
from triptych.exchanges.bybit.rest import RestClient
from triptych.exchanges.bybit.socket import AbstractConnector, AbstractSocket, SocketClosed
from triptych.exchanges.bybit.transport import AbstractTransport, HttpReply
from triptych.exchanges.bybit.venue_clock import VenueClock
from triptych.exchanges.timing import AbstractTimer

KEY = Credentials(key="the-key", secret="the-secret")


class FakeTimer(AbstractTimer):
    """Sleeping moves the time and, where one is given, the clock."""

    def __init__(self, clock=None):
        self.now_s = 0.0
        self.slept = []
        self.clock = clock

    def monotonic_s(self):
        return self.now_s

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now_s += seconds
        if self.clock is not None:
            self.clock.set(self.clock.now_ms() + round(seconds * 1000))
        await asyncio.sleep(0)


class ScriptedTransport(AbstractTransport):
    """Answers with the next item of a script: a reply, an error to raise, or a function of the request."""

    def __init__(self, *script):
        self.script = deque(script)
        self.requests = []

    async def send(self, method, url, *, headers, body, timeout_s):
        self.requests.append((method, url, dict(headers), body))
        step = self.script.popleft()
        if callable(step):
            step = step(method, url, body)
        if isinstance(step, Exception):
            raise step
        return step

    async def close(self):
        pass


def http(body, status=200, **headers):
    """A reply; `body` is bytes or text."""
    return HttpReply(
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=body if isinstance(body, bytes) else body.encode(),
    )


def rest_client(transport, *, credentials=KEY, timer=None, clock=None, config=None, limits=None):
    """A client on a scripted wire whose clock stands at 1 700 000 000 000."""
    clock = clock or ManualClock(1_700_000_000_000)
    timer = timer or FakeTimer(clock)
    return RestClient(
        "http://venue", transport=transport, timer=timer, clock=VenueClock(clock), credentials=credentials,
        limiter=Limiter(limits or LimitConfig(), timer), config=config, chance=random.Random(7),
    )  # fmt: skip


class ScriptedSocket(AbstractSocket):
    """Receives the script's items in turn; when it is at its end, nothing more comes: a dead connection."""

    def __init__(self, script):
        self.script = deque(script)
        self.sent = []
        self.timeouts = []
        self.is_closed = False

    async def send(self, text):
        if self.is_closed:
            raise SocketClosed("closed")
        self.sent.append(text)

    async def receive(self, timeout_s):
        self.timeouts.append(timeout_s)
        if not self.script:
            raise TimeoutError
        step = self.script.popleft()
        if callable(step):
            step = step(self)
        if isinstance(step, Exception):
            raise step
        return step

    async def close(self):
        self.is_closed = True


class ScriptedConnector(AbstractConnector):
    """Hands out sockets, or raises what stands in their place."""

    def __init__(self, *sockets):
        self.waiting = deque(sockets)
        self.urls = []

    async def connect(self, url):
        self.urls.append(url)
        step = self.waiting.popleft() if self.waiting else SocketClosed("nobody there")
        if isinstance(step, Exception):
            raise step
        return step

    async def close(self):
        pass
