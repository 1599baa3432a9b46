"""All parts of a connection to Bybit, joined: one clock, one limiter, one pool of connections, closed together."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from triptych.domain import AbstractClock, SystemClock, Timeframe
from triptych.exchanges.bybit import gateway as gateway_
from triptych.exchanges.bybit import hosts as hosts_
from triptych.exchanges.bybit import limits as limits_
from triptych.exchanges.bybit import rest as rest_
from triptych.exchanges.bybit import stream as stream_
from triptych.exchanges.bybit.candles import BybitCandles
from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.bybit.market_client import MarketClient
from triptych.exchanges.bybit.market_messages import PublicMessage
from triptych.exchanges.bybit.public_stream import RawMessage, Wiring, candle_topic, public_stream, raw_stream
from triptych.exchanges.bybit.socket import WebSocketConnector
from triptych.exchanges.bybit.transport import HttpTransport
from triptych.exchanges.bybit.venue_clock import VenueClock
from triptych.exchanges.timing import AbstractTimer, SystemTimer


class BybitConnection:
    """Use it as an asynchronous context manager; everything it hands out ends with it.

    Entering asks the venue for its time, so that the clock is known before the first signature.

    Attributes:
        clock: the venue's, as far as it is known.
        market: public questions.

    Args:
        hosts: where the venue lives.
        gateway: what is traded; see `gateway.Config`.
        rest, limits, stream: patience and rates.
        clock_limit_ms: ClockRefused is raised on entering when our clock is further off than that.
        clock, timer, seed: the world outside.
        halted_for_s, on_halt: of a lock-out; see `limits.Limiter`.
    """

    def __init__(
        self,
        hosts: hosts_.Config,
        *,
        gateway: gateway_.Config | None = None,
        rest: rest_.Config | None = None,
        limits: limits_.Config | None = None,
        stream: stream_.Config | None = None,
        clock_limit_ms: int = 5_000,
        clock: AbstractClock | None = None,
        timer: AbstractTimer | None = None,
        seed: int | None = None,
        halted_for_s: float = 0.0,
        on_halt: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self.clock = VenueClock(clock or SystemClock())
        self._hosts = hosts
        self._gateway_config = gateway or gateway_.Config()
        self._rest_config = rest or rest_.Config()
        self._stream_config = stream or stream_.Config()
        self._clock_limit_ms = clock_limit_ms
        self._timer = timer or SystemTimer()
        self._limiter = limits_.Limiter(
            limits or limits_.Config(), self._timer, halted_for_s=halted_for_s, on_halt=on_halt
        )
        self._chance = random.Random(seed)

    async def __aenter__(self) -> Self:
        self._transport = HttpTransport()
        self._connector = WebSocketConnector()
        self.market = MarketClient(self._rest(None), self._gateway_config.category)
        try:
            await self.market.time_ms()
            self.clock.require_within(self._clock_limit_ms)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    def gateway(self, credentials: Credentials, *, currency: str | None = None) -> gateway_.BybitGateway:
        """The account behind a key, counted in a coin; None: as configured."""
        config = self._gateway_config
        if currency is not None:
            config = config.model_copy(update={"currency": currency})
        return gateway_.BybitGateway(
            self._rest(credentials), self._hosts, credentials, connector=self._connector, timer=self._timer,
            config=config, stream_config=self._stream_config, chance=self._chance,
        )  # fmt: skip

    def candles(self, symbols: Sequence[str], timeframe: Timeframe) -> BybitCandles:
        """Closed candles of some instruments. Raises DataError for a timeframe that the venue does not make."""
        stream = self.public([candle_topic(symbol, timeframe) for symbol in symbols])
        return BybitCandles(self.market, stream, timeframe)

    def public(self, topics: Sequence[str]) -> stream_.Stream[PublicMessage]:
        """A stream of public topics of the category; see `public_stream` for their names."""
        return public_stream(self._wiring, topics)

    def raw(self, topics: Sequence[str]) -> stream_.Stream[RawMessage]:
        """The same as the venue says it, for those who record."""
        return raw_stream(self._wiring, topics)

    @property
    def _wiring(self) -> Wiring:
        return Wiring(
            hosts=self._hosts, category=self._gateway_config.category, connector=self._connector, timer=self._timer,
            clock=self.clock, config=self._stream_config, chance=self._chance,
        )  # fmt: skip

    def _rest(self, credentials: Credentials | None) -> rest_.RestClient:
        return rest_.RestClient(
            self._hosts.rest_url, transport=self._transport, timer=self._timer, clock=self.clock,
            limiter=self._limiter, credentials=credentials, config=self._rest_config, chance=self._chance,
        )  # fmt: skip

    async def _close(self) -> None:
        await self._connector.close()
        await self._transport.close()
