"""A stream that is kept up: login, subscriptions, heartbeat, detection of dead connections, reconnection."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Final, Generic, TypeVar

import orjson
from pydantic import Field

from triptych import domain
from triptych.domain import StreamState
from triptych.domain.errors import AuthenticationRefused, ExchangeError, ProtocolError
from triptych.exchanges.bybit.codes import error_of
from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.bybit.envelopes import Ack, Data, Pong, read_frame
from triptych.exchanges.bybit.signing import login_arguments
from triptych.exchanges.bybit.socket import AbstractConnector, AbstractSocket, SocketClosed
from triptych.exchanges.bybit.venue_clock import VenueClock
from triptych.exchanges.timing import AbstractTimer, BackOff

Message = TypeVar("Message")
_TOPICS_A_REQUEST: Final = 10
_NO_TOPIC: Final = ("handler not found", "invalid topic", "invalid symbol", "symbol invalid", "topic invalid")
"""How the venue says that a topic does not exist. Any other refusal may be over at the next attempt."""
_PING: Final = '{"op":"ping"}'


class Config(domain.Config):
    """Patience of a stream."""

    heartbeat_s: float = Field(
        default=20, gt=0, le=60, description="Seconds between pings; the venue wants one about every 20."
    )
    grace_s: float = Field(
        default=10,
        gt=0,
        le=60,
        description="Seconds that the answer to a ping may take. A connection on which nothing came in for heartbeat "
        "and grace together is given up as dead.",
    )
    login_valid_ms: int = Field(
        default=10_000, ge=1_000, le=60_000, description="For how long a login signature is valid, milliseconds."
    )
    back_off_s: float = Field(
        default=0.5, gt=0, le=60, description="Seconds before the first attempt to reconnect; then doubled."
    )
    longest_back_off_s: float = Field(
        default=30, gt=0, le=600, description="Longest wait between attempts to reconnect, seconds."
    )


class Stream(Generic[Message]):
    """Messages of some topics over connections that come and go.

    `messages` yields what `parse` makes of every message and, between, `StreamState`: up once everything asked for is
    confirmed, down with the reason when a connection is lost. Whatever was sent in between is missing: ask for it.
    A message that breaks the protocol costs the connection, not the program.

    Args:
        url: address of the stream.
        topics: what to subscribe to.
        parse: makes messages of ours of a message of a topic; may raise ProtocolError.
        connector, timer, clock, chance: the world outside.
        credentials: of a private stream.
        config: see `Config`.
    """

    def __init__(
        self,
        url: str,
        topics: Sequence[str],
        *,
        parse: Callable[[Data], Sequence[Message]],
        connector: AbstractConnector,
        timer: AbstractTimer,
        clock: VenueClock,
        credentials: Credentials | None = None,
        config: Config | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.config = config or Config()
        self.reconnections = 0
        self.is_up = False
        self._url = url
        self._topics = list(dict.fromkeys(topics))
        self._parse = parse
        self._connector = connector
        self._timer = timer
        self._clock = clock
        self._credentials = credentials
        self._back_off = BackOff(
            first_s=self.config.back_off_s,
            longest_s=self.config.longest_back_off_s,
            chance=chance or random.Random(),
        )
        self._socket: AbstractSocket | None = None
        self._heard_s: dict[str, float] = {}
        self._last_heard_s = timer.monotonic_s()
        self._asked_s = self._last_heard_s
        self._requests = 0
        self._waiting: dict[str, str] = {}

    @property
    def longest_silence_s(self) -> float:
        """Silence after which a connection counts as dead."""
        return self.config.heartbeat_s + self.config.grace_s

    @property
    def is_stale(self) -> bool:
        """Whether what was last heard must not be decided on: not connected, or silent for too long."""
        return not self.is_up or self._timer.monotonic_s() - self._last_heard_s > self.longest_silence_s

    def silence_s(self, topic: str) -> float:
        """Seconds since the last message of a topic on this connection; infinite when there was none."""
        heard = self._heard_s.get(topic)
        return float("inf") if heard is None or not self.is_up else self._timer.monotonic_s() - heard

    async def resubscribe(self, topic: str) -> None:
        """Ask for a topic anew: the venue answers with a snapshot. Without a connection there is nothing to do."""
        socket = self._socket
        if socket is not None and self.is_up and topic in self._topics:
            with suppress(SocketClosed):  # the receiving side finds out by itself
                await self._request(socket, "unsubscribe", [topic])
                await self._request(socket, "subscribe", [topic])

    async def messages(self) -> AsyncIterator[Message | StreamState]:
        """Everything that comes in, for ever. Raises AuthenticationRefused, and ExchangeError for an invalid topic."""
        failures, up_s = 0, float("inf")
        while True:
            reason = ""
            try:
                socket = await self._connector.connect(self._url)
                self._socket = socket
                heart = asyncio.create_task(self._beat(socket))
                try:
                    async for message in self._converse(socket):
                        if isinstance(message, StreamState):
                            up_s = self._timer.monotonic_s()
                        yield message
                finally:
                    heart.cancel()
                    self._socket, self.is_up = None, False
                    await socket.close()
            except (SocketClosed, ProtocolError) as error:
                reason = str(error)
            except TimeoutError:
                reason = f"nothing was heard for {self.longest_silence_s:g} s"
            yield StreamState(is_up=False, time_ms=self._clock.now_ms(), reason=reason)
            # Only a connection that has held for a while shows that the trouble is over: the venue counts connections.
            failures = 1 if self._timer.monotonic_s() - up_s > self.config.heartbeat_s else failures + 1
            up_s = float("inf")
            self.reconnections += 1
            await self._timer.sleep(self._back_off.wait_s(failures))

    async def _converse(self, socket: AbstractSocket) -> AsyncIterator[Message | StreamState]:
        """One connection: login, subscribe, then pass on what comes in.

        Data that arrives before everything is confirmed counts. A request that is not confirmed costs the connection.
        """
        self._waiting.clear()
        self._heard_s.clear()
        if self._credentials is not None:
            await self._login(socket, self._credentials)
        for start in range(0, len(self._topics), _TOPICS_A_REQUEST):
            await self._request(socket, "subscribe", self._topics[start : start + _TOPICS_A_REQUEST])
        while True:
            frame = read_frame(await socket.receive(self.longest_silence_s))
            self._last_heard_s = self._timer.monotonic_s()
            if self._waiting and self._last_heard_s - self._asked_s > self.longest_silence_s:
                raise SocketClosed(f"the venue did not confirm {', '.join(self._waiting.values())}")
            if isinstance(frame, Data):
                self._heard_s[frame.topic] = self._last_heard_s
                for message in self._parse(frame):
                    yield message
            elif isinstance(frame, Ack):
                self._confirm(frame)
                if not self.is_up and not self._waiting:
                    self.is_up = True
                    yield StreamState(is_up=True, time_ms=self._clock.now_ms())

    async def _login(self, socket: AbstractSocket, credentials: Credentials) -> None:
        expires_ms = self._clock.now_ms() + self.config.login_valid_ms
        arguments = login_arguments(credentials, expires_ms=expires_ms)
        await socket.send(orjson.dumps({"req_id": self._next_id(), "op": "auth", "args": arguments}).decode())
        while True:
            frame = read_frame(await socket.receive(self.longest_silence_s))
            if isinstance(frame, Ack) and frame.op == "auth":
                break
            if not isinstance(frame, Pong):
                raise ProtocolError(f"The private stream answered the login with {frame}.")
        if frame.is_success:
            return
        error = error_of(frame.code or 10003, frame.text, "the login on the private stream")
        if isinstance(error, AuthenticationRefused):
            raise error
        raise SocketClosed(str(error))  # busy or in maintenance: another connection may do

    async def _request(self, socket: AbstractSocket, op: str, topics: list[str]) -> None:
        identifier = self._next_id()
        self._waiting[identifier] = ", ".join(topics)
        self._asked_s = self._timer.monotonic_s()
        await socket.send(orjson.dumps({"req_id": identifier, "op": op, "args": topics}).decode())

    def _confirm(self, ack: Ack) -> None:
        topics = self._waiting.pop(ack.request_id, None)
        if not ack.is_success:
            # A venue that does not repeat our id answers in the order of asking.
            named = topics or next(iter(self._waiting.values()), "")
            if "already subscribed" in ack.text.lower():
                self._waiting.pop(next((key for key, value in self._waiting.items() if value == named), ""), None)
                return
            text = f"Bybit refused to {ack.op} {named}: {ack.text or 'no reason given'}."
            if any(words in ack.text.lower() for words in _NO_TOPIC):
                raise ExchangeError(text, remedy="Check symbol, category and depth.", code=ack.code)
            raise SocketClosed(text)  # busy or in maintenance: another connection may do
        if topics is None and not ack.request_id and self._waiting:
            self._waiting.pop(next(iter(self._waiting)))

    async def _beat(self, socket: AbstractSocket) -> None:
        with suppress(SocketClosed):
            while True:
                await self._timer.sleep(self.config.heartbeat_s)
                await socket.send(_PING)

    def _next_id(self) -> str:
        self._requests += 1
        return f"t{self._requests}"
