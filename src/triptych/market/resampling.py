"""Exact resampling to a coarser timeframe: first open, highest high, lowest low, last close, summed volume.

Coarse candles lie on the grid of `Timeframe.floor`: counted from midnight UTC, weeks from Monday. Prices are copied,
never computed, so resampling in two steps gives the same prices as in one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial as partial_of
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLOSE, HIGH, LOW, OPEN, VOLUME, CandleSeries, Timeframe, utc
from triptych.domain.errors import CandleError, DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class Resampled:
    """Coarse candles and how many fine ones each is made of.

    Attributes:
        series: the coarse candles.
        members: int64 array of shape (n_candles,): fine candles inside each coarse one.
        expected: fine candles in a complete coarse one.
        dropped_unfinished: whether the last coarse candle was dropped because it had not closed.
        dropped_incomplete: coarse candles dropped because members were missing (`complete_only`).
    """

    series: CandleSeries
    members: NDArray[np.int64]
    expected: int
    dropped_unfinished: bool
    dropped_incomplete: int

    @property
    def incomplete(self) -> int:
        """Coarse candles in `series` with missing members: gaps, closed sessions, a start in the middle."""
        return int(np.count_nonzero(self.members < self.expected))


def resample(
    series: CandleSeries,
    timeframe: str | Timeframe,
    *,
    partial: Literal["drop", "keep"] = "drop",
    complete_only: bool = False,
    until_ms: int | None = None,
) -> CandleSeries:
    """The series in a coarser timeframe; see `resample_counted` for the arguments and errors."""
    return resample_counted(series, timeframe, partial=partial, complete_only=complete_only, until_ms=until_ms).series


def resample_counted(
    series: CandleSeries,
    timeframe: str | Timeframe,
    *,
    partial: Literal["drop", "keep"] = "drop",
    complete_only: bool = False,
    until_ms: int | None = None,
) -> Resampled:
    """The series in a coarser timeframe, with the number of members of each candle.

    A coarse candle is known to be closed when a fine candle of a later one is there, its own last fine candle is, or
    the clock has passed its end (`until_ms`); only the last one can be in doubt.

    Args:
        series: fine candles.
        timeframe: a multiple of the series' own.
        partial: what to do with a last candle that is not known to be closed. "drop" is the safe choice: the result
            does not change when more candles arrive. "keep" suits finished histories, such as daily candles of a
            session market whose last session ended before midnight.
        complete_only: also drop candles with missing members.
        until_ms: the time that all candles are known to, UTC milliseconds: what had not traded by then did not. A
            session or a gap that ends inside a coarse candle leaves nobody to tell that it has closed but the clock.
            None: the close of the last fine candle.

    Raises DataError when the timeframe is not a multiple, CandleError when a fine candle reaches across the border of
    two coarse ones.
    """
    target = Timeframe.parse(timeframe)
    expected, rest = divmod(target.milliseconds, series.timeframe.milliseconds)
    if rest or expected == 0:
        raise DataError(
            f"{series.symbol}: {series.timeframe} candles cannot be resampled to {target}, which is not a multiple.",
            remedy=f"Choose a multiple of {series.timeframe}.",
        )
    if len(series) == 0:
        empty = CandleSeries(
            instrument=series.instrument, timeframe=target, open_time_ms=series.open_time_ms, values=series.values,
            books=series.books, notes=series.notes,
        )  # fmt: skip
        return Resampled(
            series=empty,
            members=np.empty(0, np.int64),
            expected=expected,
            dropped_unfinished=False,
            dropped_incomplete=0,
        )
    buckets = floor_times(series.open_time_ms, target)
    _refuse_straddlers(series, buckets, target)
    starts = np.flatnonzero(np.r_[True, buckets[1:] != buckets[:-1]])
    members = np.diff(np.r_[starts, len(series)]).astype(np.int64)
    values = _joined(series.values, starts)
    known_ms = max(int(series.close_time_ms[-1]), until_ms or 0)
    closed = known_ms >= int(buckets[-1]) + target.milliseconds
    drop_last = partial == "drop" and not closed
    keep = np.ones(len(starts), dtype=bool)
    keep[-1] = not drop_last
    incomplete = keep & (members < expected)
    if complete_only:
        keep &= ~incomplete
    at_the_close = partial_of(_at_the_close, series.close_time_ms, buckets + target.milliseconds, starts)
    coarse = CandleSeries(
        instrument=series.instrument, timeframe=target, open_time_ms=buckets[starts][keep], values=values[keep],
        books=None if series.books is None else at_the_close(series.books)[keep],
        notes=None if series.notes is None else {name: at_the_close(one)[keep] for name, one in series.notes.items()},
    )  # fmt: skip
    return Resampled(
        series=coarse, members=members[keep], expected=expected, dropped_unfinished=drop_last,
        dropped_incomplete=int(np.count_nonzero(incomplete)) if complete_only else 0,
    )  # fmt: skip


def floor_times(times: NDArray[np.int64], timeframe: Timeframe) -> NDArray[np.int64]:
    """`Timeframe.floor` of many times, of the same shape: the same origin, taken from the scalar function itself."""
    origin = timeframe.floor(0)
    floors: NDArray[np.int64] = (times - origin) // timeframe.milliseconds * timeframe.milliseconds + origin
    return floors


def _refuse_straddlers(series: CandleSeries, buckets: NDArray[np.int64], target: Timeframe) -> None:
    """A fine candle that ends after its coarse one would carry the future into it."""
    late = np.flatnonzero(series.close_time_ms > buckets + target.milliseconds)
    if late.size:
        row = int(late[0])
        raise CandleError(
            f"{series.symbol}: the {series.timeframe} candle of {utc(int(series.open_time_ms[row]))} UTC closes after "
            f"the {target} candle it would belong to ({late.size:,} such).",
            remedy=f"Choose a coarser timeframe, or bring candles that open on the {series.timeframe} grid.",
        )


def _at_the_close(
    fine_ms: NDArray[np.int64], close_ms: NDArray[np.int64], starts: NDArray[np.int64], beside: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What stands beside the last member of each coarse candle; unknown where that closed before the coarse one does.

    `fine_ms` and `close_ms` are, of each fine candle, its own close and that of its coarse candle.
    """
    last = np.r_[starts[1:], len(fine_ms)] - 1
    found: NDArray[np.float64] = beside[last]
    found[fine_ms[last] < close_ms[last]] = np.nan
    return found


def _joined(values: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """One row for each run of rows that begins at `starts`."""
    coarse = np.empty((len(starts), values.shape[1]))
    coarse[:, OPEN] = values[starts, OPEN]
    coarse[:, HIGH] = np.maximum.reduceat(values[:, HIGH], starts)
    coarse[:, LOW] = np.minimum.reduceat(values[:, LOW], starts)
    coarse[:, CLOSE] = values[np.r_[starts[1:], len(values)] - 1, CLOSE]
    coarse[:, VOLUME] = np.add.reduceat(values[:, VOLUME], starts)
    return coarse
