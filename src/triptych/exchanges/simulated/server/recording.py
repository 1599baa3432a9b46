"""Recorded messages behind the server: books, tickers, trades and candles as a venue has told them once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from triptych.domain import Timeframe
from triptych.exchanges.bybit.words import TIMEFRAMES

Message = tuple[str, dict[str, Any]]


class Recording:
    """Hands out what was said up to a close, and remembers what a new subscriber must hear: the book and the ticker.

    Args:
        messages: topic and content of every streamed message, in the order of their recording.
        topics: all that were recorded. The server invents what a client wants beside them.
    """

    def __init__(self, messages: Iterable[Message], topics: Collection[str]) -> None:
        self.topics = frozenset(topics)
        self._messages: Iterator[Message] = iter(messages)
        self._next: Message | None = next(self._messages, None)
        self._books: dict[str, dict[str, Any]] = {}
        self._tickers: dict[str, dict[str, Any]] = {}

    def up_to(self, close_ms: int, timeframe: Timeframe, symbols: Collection[str] = ()) -> list[Message]:
        """The messages until the candles of `symbols` that close at `close_ms` have been told.

        The messages that are stamped no later than the close come in any case; of later ones, while a candle is still
        missing, those that are stamped before the next close.
        """
        missing = {topic for topic in self.topics if _is_candle_of(topic, timeframe, symbols)}
        found = []
        while self._next is not None:
            topic, content = self._next
            time_ms = int(content.get("ts", 0))
            if time_ms > close_ms and (not missing or time_ms >= close_ms + timeframe.milliseconds):
                break
            self._remember(topic, content)
            found.append(self._next)
            if topic in missing and _closes(content, close_ms):
                missing.discard(topic)
            self._next = next(self._messages, None)
        return found

    def snapshot(self, topic: str) -> dict[str, Any] | None:
        """What a new subscriber of a book or a ticker hears at once; None before anything was said of it."""
        book = self._books.get(topic)
        if book is None:
            return self._tickers.get(topic)
        data = {**book["data"], "b": _rows(book["data"]["b"], -1), "a": _rows(book["data"]["a"], 1)}
        return {**book, "type": "snapshot", "data": data}

    def _remember(self, topic: str, content: Mapping[str, Any]) -> None:
        kind, is_snapshot = topic.partition(".")[0], content.get("type") == "snapshot"
        if kind == "orderbook":
            before = {} if is_snapshot else self._books.get(topic, {}).get("data", {})
            data = dict(content["data"])
            for side in "ba":
                levels = dict(before.get(side, {}))
                levels.update((price, size) for price, size in data.get(side, ()))
                data[side] = {price: size for price, size in levels.items() if Decimal(size)}
            self._books[topic] = {**content, "data": data}
        elif kind == "tickers":
            before = {} if is_snapshot else self._tickers.get(topic, {}).get("data", {})
            self._tickers[topic] = {**content, "type": "snapshot", "data": {**before, **content["data"]}}


def _rows(levels: Mapping[str, str], sign: int) -> list[list[str]]:
    return [[price, levels[price]] for price in sorted(levels, key=lambda price: sign * Decimal(price))]


def _is_candle_of(topic: str, timeframe: Timeframe, symbols: Collection[str]) -> bool:
    kind, _, rest = topic.partition(".")
    code, _, symbol = rest.partition(".")
    return kind == "kline" and TIMEFRAMES.get(code) == timeframe and symbol in symbols


def _closes(content: Mapping[str, Any], close_ms: int) -> bool:
    return any(row.get("confirm") and int(row["end"]) + 1 == close_ms for row in content.get("data", ()))
