"""`triptych data record`: the public streams of a venue onto a tape, message by message, whole after every outage."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from triptych.bootstrap.serving_metrics import serve_metrics
from triptych.bootstrap.taping import candles_of
from triptych.bootstrap.telling import Tell, silent
from triptych.domain import Candle, StreamState, Timeframe, utc
from triptych.domain.errors import DataError, ExchangeError, ProtocolError
from triptych.exchanges.bybit import gateway as gateway_
from triptych.exchanges.bybit import hosts
from triptych.exchanges.bybit.connection import BybitConnection
from triptych.exchanges.bybit.market_messages import book_update
from triptych.exchanges.bybit.public_stream import (
    RawMessage,
    book_topic,
    candle_topic,
    ticker_topic,
    trade_topic,
)
from triptych.exchanges.bybit.stream import Stream
from triptych.exchanges.bybit.words import VENUE, Category, interval
from triptych.live.monitoring import Metrics
from triptych.market.books import LiveBook
from triptych.market.tapes import STREAM, About, Config, TapeEntry, TapeWriter, is_tape, read_tape_backwards

What = Literal["candles", "book", "trades", "tickers"]
EVERYTHING: Final[tuple[What, ...]] = get_args(What)
Key = tuple[str, Timeframe]
Depth = Literal[1, 50, 200, 1000]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """How far a recording is.

    Attributes:
        messages: written by this process.
        megabytes: of them, before compression.
        outages: times the connection was lost.
        asked_for: candles that were fetched because the stream had not told them.
        book_resyncs: books asked for anew because a message was missing.
        newest: receiving time of the newest message, UTC; empty before the first.
    """

    messages: int
    megabytes: float
    outages: int
    asked_for: int
    book_resyncs: int
    newest: str

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def record_tape(
    symbols: Sequence[str],
    folder: Path,
    *,
    timeframes: Sequence[str] = ("1m",),
    what: Sequence[What] = EVERYTHING,
    depth: Depth = 50,
    history: int = 0,
    seconds: float | None = None,
    category: Category = "linear",
    where: hosts.Config | None = None,
    config: Config | None = None,
    stop: asyncio.Event | None = None,
    on_progress: Callable[[Recorded], None] = lambda recorded: None,
    metrics_at: tuple[str, int] | None = None,
    tell: Tell = silent,
) -> Recorded:
    """Record until `seconds` are over, `stop` is set or Ctrl-C comes. The same call goes on after a kill.

    Args:
        symbols: the venue's own, such as BTCUSDT.
        folder: of the tape; one that exists is gone on with.
        timeframes: of the candles.
        what: which streams.
        depth: levels a side of the book stream.
        history: candles of each timeframe that are fetched before the first one streamed, for models to begin with.
        seconds: how long; None: without end.
        category, where: of the venue.
        config: how the tape is cut.
        stop: ends the recording when it is set from another task.
        on_progress: told after every message.
        metrics_at: host and port where candles, book resyncs and readiness are served; None: nowhere.
        tell: told where they are.

    Raises DataError for an unknown symbol, timeframe or another tape in the folder; ExchangeError when the venue cannot
    be reached at the start or refuses a topic; StorageError when the disk refuses.
    """
    lengths = [Timeframe.parse(text) for text in timeframes] if "candles" in what else []
    for one in lengths:
        interval(one)
    if not symbols or not what:
        raise DataError("There is nothing to record.", remedy="Name a symbol, such as BTCUSDT, and a stream.")

    async def run() -> Recorded:
        gateway = gateway_.Config(category=category)
        async with BybitConnection(where or hosts.Config(environment="mainnet"), gateway=gateway) as connection:
            rules = [(await connection.market.listing(symbol)).instrument for symbol in symbols]
            keys = [(symbol, length) for symbol in symbols for length in lengths]
            topics = _topics(symbols, lengths, what, depth)
            about = About(
                venue=VENUE, category=category, topics=tuple(topics), timeframes=tuple(str(one) for one in lengths),
                instruments=tuple(rules),
            )  # fmt: skip
            known = _known(folder, keys) if is_tape(folder) else {}
            with TapeWriter(folder, about, config) as writer:
                metrics = Metrics()
                recorder = _Recorder(connection, writer, topics, keys, known, history, on_progress, metrics)
                server = await serve_metrics(
                    metrics, lambda: {} if recorder.is_up else {"messages": "the stream is down"}, metrics_at, tell
                )
                recording = asyncio.create_task(recorder.run())
                flushing = asyncio.create_task(_flush(writer, (config or Config()).flush_seconds))
                stopping = asyncio.create_task(_stopped_by(stop or asyncio.Event()).wait())
                try:
                    done, _ = await asyncio.wait(
                        [recording, stopping, flushing], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done:
                        task.result()
                finally:
                    for task in (recording, stopping, flushing):
                        task.cancel()
                        with contextlib.suppress(asyncio.CancelledError):
                            await task
                    await server.stop()
                return recorder.view()

    return asyncio.run(run())


async def _flush(writer: TapeWriter, seconds: float) -> None:
    """A quiet market brings no message that would flush those before it."""
    while True:
        await asyncio.sleep(max(seconds, 0.1))
        writer.flush()


def _stopped_by(stop: asyncio.Event) -> asyncio.Event:
    """The event, which Ctrl-C and SIGTERM set too: an ordered end finishes the segment."""
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):  # not on Windows, not in a thread
            loop.add_signal_handler(name, stop.set)
    return stop


def _topics(symbols: Sequence[str], lengths: Sequence[Timeframe], what: Sequence[What], depth: Depth) -> list[str]:
    found = []
    for symbol in symbols:
        found += [candle_topic(symbol, length) for length in lengths]
        found += [book_topic(symbol, depth)] if "book" in what else []
        found += [trade_topic(symbol)] if "trades" in what else []
        found += [ticker_topic(symbol)] if "tickers" in what else []
    return found


def _known(folder: Path, keys: Collection[Key]) -> dict[Key, int]:
    """Open time of the candle up to which a tape is whole, by instrument and timeframe.

    What was streamed by the newest connection may lie behind a gap that nobody came to fill.
    """
    before: dict[Key, int] = {}
    since: dict[Key, set[int]] = {}
    is_newest = True
    for entry in read_tape_backwards(folder):
        for candle in candles_of(entry):
            key = candle.symbol, candle.timeframe
            if is_newest:
                since.setdefault(key, set()).add(candle.open_time_ms)
            else:
                before[key] = max(before.get(key, 0), candle.open_time_ms)
        is_newest = is_newest and not (entry.topic == STREAM and entry.content["is_up"])
        if not is_newest and before.keys() >= set(keys):
            break
    for key, opens in since.items():
        at = before.get(key, min(opens))
        while at + key[1].milliseconds in opens:
            at += key[1].milliseconds
        before[key] = at
    return before


class _Recorder:
    """One recording: listens, writes, and asks for what an outage has cost."""

    def __init__(
        self,
        connection: BybitConnection,
        writer: TapeWriter,
        topics: Sequence[str],
        keys: Sequence[Key],
        known: dict[Key, int],
        history: int,
        on_progress: Callable[[Recorded], None],
        metrics: Metrics,
    ) -> None:
        self._metrics, self.is_up = metrics, False
        self._keys, self._known, self._history = keys, known, history
        self._connection, self._writer, self._on_progress = connection, writer, on_progress
        self._stream: Stream[RawMessage] = connection.raw(topics)
        self._books = {
            topic: LiveBook(topic.rpartition(".")[2], self._asker(topic))
            for topic in topics
            if topic.startswith("orderbook.")
        }
        self._outages = self._asked_for = 0
        self._newest_ns = 0

    def _asker(self, topic: str) -> Any:
        async def ask() -> None:
            self._metrics.book_resyncs.labels(symbol=topic.rpartition(".")[2]).inc()
            await self._stream.resubscribe(topic)

        return ask

    def view(self) -> Recorded:
        return Recorded(
            messages=self._writer.entries, megabytes=round(self._writer.bytes / 1e6, 3), outages=self._outages,
            asked_for=self._asked_for, book_resyncs=sum(one.resyncs for one in self._books.values()),
            newest=utc(self._newest_ns // 1_000_000) if self._newest_ns else "",
        )  # fmt: skip

    async def run(self) -> None:
        async for message in self._stream.messages():
            if isinstance(message, StreamState):
                await self._on_state(message)
            else:
                await self._on_message(message)
            self._on_progress(self.view())

    async def _on_state(self, state: StreamState) -> None:
        self._write(TapeEntry(time.time_ns(), STREAM, {"is_up": state.is_up, "reason": state.reason}))
        self.is_up = state.is_up
        self._metrics.ready.set(state.is_up)
        if state.is_up:
            await self._fetch_missing()
            return
        self._outages += 1
        for book in self._books.values():
            await book.on_interruption()

    async def _on_message(self, message: RawMessage) -> None:
        topic, content = message.data
        entry = TapeEntry(message.time_ns, topic, content)
        self._write(entry)
        for candle in candles_of(entry):
            self._metrics.candles.labels(symbol=candle.symbol, timeframe=str(candle.timeframe)).inc()
            self._learn(candle)
        book = self._books.get(topic)
        if book is not None:
            with contextlib.suppress(ProtocolError):  # recorded as it came; a book that cannot be read is no book
                await book.on_update(book_update(message.data), message.time_ns // 1_000_000)

    def _learn(self, candle: Candle) -> None:
        """Only the candle after the newest known one leaves no gap behind it."""
        key = candle.symbol, candle.timeframe
        newest = self._known.get(key)
        if newest is None or candle.open_time_ms == newest + candle.timeframe.milliseconds:
            self._known[key] = candle.open_time_ms

    async def _fetch_missing(self) -> None:
        """Candles that closed while nobody listened; those that cannot be asked for are when it connects again."""
        for symbol, length in self._keys:
            with contextlib.suppress(ExchangeError):
                found = await self._behind(symbol, length, self._known.get((symbol, length)))
                for candle in found:
                    self._write(_asked(candle))
                    self._asked_for += 1
                if found:
                    self._known[symbol, length] = found[-1].open_time_ms

    async def _behind(self, symbol: str, length: Timeframe, known: int | None) -> list[Candle]:
        """Closed candles after the known one, asked for from the newest back.

        Without a known one the last `history`, and always the newest: it is where gaps are counted from.
        """
        market, clock = self._connection.market, self._connection.clock
        start = 0 if known is None else known + length.milliseconds
        wanted = max(self._history, 1) if known is None else None
        found: list[Candle] = []
        end = clock.now_ms()
        while start < end and (wanted is None or len(found) < wanted):
            limit = 1000 if wanted is None else min(1000, wanted + 1 - len(found))
            page = await market.candles(symbol, length, start_ms=start, end_ms=end, limit=limit)
            found = [one for one in page if one.close_time_ms <= clock.now_ms()] + found
            if len(page) < limit:
                break
            end = page[0].open_time_ms
        return found if wanted is None else found[-wanted:]

    def _write(self, entry: TapeEntry) -> None:
        self._newest_ns = max(self._newest_ns, entry.time_ns)
        self._writer.append(entry)


def _asked(candle: Candle) -> TapeEntry:
    """A candle of REST in the form of the stream's messages."""
    topic = candle_topic(candle.symbol, candle.timeframe)
    prices = {name: repr(getattr(candle, name)) for name in ("open", "high", "low", "close", "volume")}
    row = {
        "start": candle.open_time_ms, "end": candle.close_time_ms - 1, "interval": interval(candle.timeframe), **prices,
        "confirm": True, "timestamp": candle.close_time_ms,
    }  # fmt: skip
    content = {"topic": topic, "type": "snapshot", "ts": candle.close_time_ms, "data": [row]}
    return TapeEntry(time.time_ns(), topic, content, "rest")
