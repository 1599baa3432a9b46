"""The public stream: candles, books, trades, tickers of one category."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from triptych.domain import Timeframe
from triptych.exchanges.bybit.envelopes import Data
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.exchanges.bybit.market_messages import PublicMessage, parse_public
from triptych.exchanges.bybit.socket import AbstractConnector
from triptych.exchanges.bybit.stream import Config, Stream
from triptych.exchanges.bybit.venue_clock import VenueClock
from triptych.exchanges.bybit.words import Category, interval
from triptych.exchanges.timing import AbstractTimer

Message = TypeVar("Message")


class RawMessage(NamedTuple):
    """A message of a topic and when it was received, our clock, UTC nanoseconds."""

    time_ns: int
    data: Data


def candle_topic(symbol: str, timeframe: Timeframe) -> str:
    """Raises DataError for a timeframe that the venue does not make."""
    return f"kline.{interval(timeframe)}.{symbol}"


def book_topic(symbol: str, levels: int) -> str:
    """Depths are 1, 50, 200 and 1000."""
    return f"orderbook.{levels}.{symbol}"


def trade_topic(symbol: str) -> str:
    """The public tape."""
    return f"publicTrade.{symbol}"


def ticker_topic(symbol: str) -> str:
    """The latest figures."""
    return f"tickers.{symbol}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wiring:
    """What a public stream is joined to.

    Attributes:
        hosts, category: where it is.
        connector, timer, clock, config, chance: see `Stream`.
    """

    hosts: HostConfig
    category: Category
    connector: AbstractConnector
    timer: AbstractTimer
    clock: VenueClock
    config: Config | None = None
    chance: random.Random | None = None

    def stream(self, topics: Sequence[str], parse: Callable[[Data], Sequence[Message]]) -> Stream[Message]:
        """A stream of topics, each message read by `parse`."""
        return Stream(
            self.hosts.public_url(self.category), topics, parse=parse, connector=self.connector, timer=self.timer,
            clock=self.clock, config=self.config, chance=self.chance,
        )  # fmt: skip


def public_stream(wiring: Wiring, topics: Sequence[str]) -> Stream[PublicMessage]:
    """A stream of public topics. Books are not judged here: give their updates to an order book that checks them."""
    return wiring.stream(topics, _parse)


def raw_stream(wiring: Wiring, topics: Sequence[str]) -> Stream[RawMessage]:
    """A stream of public topics as the venue says them, not understood yet: for those who record."""
    return wiring.stream(topics, _stamped)


def _stamped(data: Data) -> list[RawMessage]:
    return [RawMessage(time.time_ns(), data)]


def _parse(data: Data) -> list[PublicMessage]:
    return parse_public(data, local_time_ns=time.time_ns())
