"""Order books for models that trade on a venue: from its streams, and of the time before from recordings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from triptych.bootstrap.candle_books import beside
from triptych.bootstrap.recorded_books import recording_of
from triptych.bootstrap.telling import Tell, silent
from triptych.domain import Candle, CandleSeries, Instrument, Timeframe
from triptych.domain.errors import ArtifactError, DataError
from triptych.exchanges.bybit.connection import BybitConnection
from triptych.exchanges.bybit.public_stream import book_topic, candle_topic
from triptych.exchanges.gateway import AbstractCandleSource
from triptych.inference import BookNeed
from triptych.live.booked_candles import BookedCandles, Past
from triptych.live.booked_candles import Config as BooksConfig
from triptych.live.monitoring import Metrics
from triptych.market.books import ClosingBook

DEPTHS: Final = (50, 200, 1000)
"""Levels a side of the venue's streams of books, as `triptych data record` records them."""


def candles_of(
    connection: BybitConnection,
    symbols: Sequence[str],
    timeframe: Timeframe,
    need: BookNeed | None,
    config: BooksConfig | None = None,
    *,
    only_seen: Sequence[str] = (),
    books: Sequence[Path] = (),
    metrics: Metrics | None = None,
    tell: Tell = silent,
) -> AbstractCandleSource:
    """Candles of the venue, with the book of each close beside them where a model reads it.

    Args:
        connection: to the venue.
        symbols: whose candles are wanted.
        timeframe: of the candles.
        need: of the models; None: candles alone.
        config: how books are waited for.
        only_seen: those of them that are companions; they have books only where the models read theirs too.
        books: recordings that know the books of past closes; none: a window is full only once all of its closes have
            been heard.
        metrics: count books that had to be asked for anew.
        tell: told how deep the books are and where past ones come from.

    Raises ArtifactError for more levels than the venue tells.
    """
    if need is None:
        return connection.candles(symbols, timeframe)
    depth = next((one for one in DEPTHS if one >= need.levels), None)
    if depth is None:
        raise ArtifactError(
            f"The model reads {need.levels} levels of order book a side, and the venue tells {DEPTHS[-1]}.",
            remedy="Train it on fewer levels.",
        )
    bare = () if need.companions else only_seen
    topics = {symbol: book_topic(symbol, depth) for symbol in symbols if symbol not in bare}
    stream = connection.public([*(candle_topic(symbol, timeframe) for symbol in symbols), *topics.values()])

    def asks(symbol: str) -> Callable[[], Awaitable[None]]:
        async def ask() -> None:
            if metrics is not None:
                metrics.book_resyncs.labels(symbol=symbol).inc()
            await stream.resubscribe(topics[symbol])

        return ask

    keepers = {
        symbol: ClosingBook(
            symbol, asks(symbol), timeframe=timeframe, levels=need.levels, max_age_ms=need.max_age_ms,
            readers=need.readers,
        )
        for symbol in topics
    }  # fmt: skip
    tell(
        f"Order books of {need.levels} levels a side stand beside the candles, from the stream of {depth}; "
        + (f"past ones from {', '.join(map(str, books))}." if books else "past ones are not known: the first decision "
           "comes once a whole window has been heard. --book FOLDER of `triptych data record` brings them.")
    )  # fmt: skip
    inner = connection.candles(symbols, timeframe)
    return BookedCandles(inner, stream.messages, keepers, config, past=_past(need, books, tell) if books else None)


def _past(need: BookNeed, books: Sequence[Path], tell: Tell) -> Past:
    """Reads the recordings once an instrument, at the start: what closes later is heard, or was missed by both."""
    asked: set[str] = set()

    def past(symbol: str, candles: Sequence[Candle]) -> Sequence[Candle]:
        if not candles or symbol in asked:
            return candles
        asked.add(symbol)
        first = candles[0]
        series = CandleSeries(
            instrument=Instrument(symbol=symbol), timeframe=first.timeframe,
            open_time_ms=np.array([one.open_time_ms for one in candles], dtype=np.int64),
            values=np.array([(one.open, one.high, one.low, one.close, one.volume) for one in candles]),
        )  # fmt: skip
        try:
            found = beside(series, recording_of(series, need, books), need)
        except DataError as error:  # no reason not to trade: the window fills up as books are heard
            tell(f"No books of the past: {error.message}")
            return candles
        booked = [found.candle(i) for i in range(len(found))]
        return [replace(one, book=own.book, notes=own.notes) for one, own in zip(candles, booked, strict=True)]

    return past
