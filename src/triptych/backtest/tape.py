"""The tape: candles of several instruments in the order in which they close."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from triptych.domain import Candle, CandleSeries, Timeframe, utc
from triptych.domain.errors import DataError, NotEnoughData

WEEK_MS = 7 * 86_400_000


def check_tape(series: Sequence[CandleSeries]) -> None:
    """Refuse instruments that cannot be replayed together.

    Raises NotEnoughData without any candle; DataError when a symbol occurs twice, timeframes differ, or a candle of one
    instrument opens inside a candle of another: their orders and closes would not be in time order.
    """
    if not series or not all(len(one) for one in series):
        raise NotEnoughData(
            "There is nothing to replay: no instrument, or one without candles.",
            remedy="Bring candles for each instrument.",
        )
    symbols = [one.symbol for one in series]
    if len(set(symbols)) != len(symbols):
        raise DataError(f"Each symbol may occur only once, was {symbols}.", remedy="Rename or merge the series.")
    timeframes = {one.timeframe for one in series}
    if len(timeframes) > 1:
        names = ", ".join(str(timeframe) for timeframe in sorted(timeframes))
        raise DataError(
            f"All instruments must have the same timeframe, was {names}.", remedy="Resample them to the longest one."
        )
    if len(series) > 1:
        opens = np.unique(np.concatenate([one.open_time_ms for one in series]))
        own = np.concatenate([np.diff(one.open_time_ms) for one in series])
        least = min(series[0].timeframe.milliseconds, int(own.min(initial=np.iinfo(np.int64).max)))
        close = np.flatnonzero(np.diff(opens) < least)
        if close.size:
            raise DataError(
                f"The candles of {', '.join(symbols)} overlap: one opens at {utc(int(opens[close[0]]))} and another at "
                f"{utc(int(opens[close[0] + 1]))} UTC, less than {series[0].timeframe} later.",
                remedy="Resample them to one common grid.",
            )


def batches(
    series: Sequence[CandleSeries], first_ms: int, last_ms: int, lead: int
) -> Iterator[tuple[int, list[Candle]]]:
    """Batches of candles that close at the same time, in time order.

    Args:
        series: one per instrument; within a batch their order is kept.
        first_ms: first close time wanted.
        last_ms: last close time wanted, inclusive.
        lead: candles of each instrument before `first_ms` that are replayed too.

    Yields:
        Close time and the candles that close then.
    """
    parts = []
    for one in series:
        closes = one.close_time_ms
        start = max(int(np.searchsorted(closes, first_ms)) - lead, 0)
        stop = int(np.searchsorted(closes, last_ms, side="right"))
        parts.append((one, start, stop))
    if len(parts) == 1:
        one, start, stop = parts[0]
        milliseconds = one.timeframe.milliseconds
        for candle in _candles(one, start, stop):
            yield candle.open_time_ms + milliseconds, [candle]
        return
    streams = [_candles(one, start, stop) for one, start, stop in parts]
    heads = [next(stream, None) for stream in streams]
    while True:
        waiting = [head.open_time_ms for head in heads if head is not None]
        if not waiting:
            return
        now = min(waiting)
        batch = []
        for i, head in enumerate(heads):
            if head is not None and head.open_time_ms == now:
                batch.append(head)
                heads[i] = next(streams[i], None)
        yield now + parts[0][0].timeframe.milliseconds, batch


def _candles(series: CandleSeries, start: int, stop: int) -> Iterator[Candle]:
    """Candles start .. stop - 1, each made when it is its turn."""
    symbol, timeframe = series.symbol, series.timeframe
    for i in range(start, stop, 4096):
        end = min(i + 4096, stop)
        columns = [column.tolist() for column in series.values[i:end].T]
        books: Iterable[tuple[float, ...] | None] = (
            itertools.repeat(None, end - i) if series.books is None else map(tuple, series.books[i:end].tolist())
        )
        notes = _notes(series, i, end)
        times = series.open_time_ms[i:end].tolist()
        for time_ms, o, h, l, c, v, book, note in zip(times, *columns, books, notes, strict=True):  # noqa: E741 - the field's letters
            yield Candle(
                symbol=symbol, timeframe=timeframe, open_time_ms=time_ms, open=o, high=h, low=l, close=c, volume=v,
                book=book, notes=note,
            )  # fmt: skip


def _notes(series: CandleSeries, start: int, stop: int) -> Iterable[dict[str, float] | None]:
    """What was read off the books at the closes of candles start .. stop - 1."""
    if series.notes is None:
        return itertools.repeat(None, stop - start)
    names = tuple(series.notes)
    columns = [one[start:stop].tolist() for one in series.notes.values()]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def candles_per_year(open_times_ms: NDArray[np.int64], timeframe: Timeframe) -> float:
    """How many candles a year really holds, sessions, weekends and holidays taken as they are.

    The number of steps divided by the time they span. A history of less than a week says nothing about its calendar and
    counts as an always-open market, which is also the upper limit.
    """
    always_open = timeframe.candles_per_year()
    if len(open_times_ms) < 2:
        return always_open
    span = int(open_times_ms[-1] - open_times_ms[0])
    if span < WEEK_MS:
        return always_open
    years = span / (365.25 * 86_400_000)
    return min((len(open_times_ms) - 1) / years, always_open)
