"""Where the candles of a history stand among its rows, when some rows have no candle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.windowing import places_of
from triptych.domain import CandleSeries
from triptych.features import days
from triptych.market.sessions import find_breaks


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Rows of a picture's history.

    Attributes:
        at: int64 of shape (n_candles,), rising: row of each candle.
        close_time_ms: int64 of shape (n_rows,), rising: when each row closes, or would have.
        ends: bool of shape (n_rows,): a window may end with the row.
        empty: what a row without a candle holds: 0 for a factor, NaN for a price.
    """

    at: NDArray[np.int64]
    close_time_ms: NDArray[np.int64]
    ends: NDArray[np.bool_]
    empty: float

    def lay(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows of candles, shape (n_candles, n_columns), as rows of the history, (n_rows, n_columns)."""
        laid = np.full((len(self.close_time_ms), rows.shape[1]), self.empty, dtype=np.float32)
        laid[self.at] = rows
        return laid


def holes(series: CandleSeries) -> NDArray[np.int64]:
    """Candles missing before each candle by the history's own calendar, int64 of shape (n_candles,)."""
    missing = np.zeros(len(series), dtype=np.int64)
    breaks = find_breaks(series.open_time_ms, series.timeframe)
    missing[breaks.after + 1] = breaks.missing
    return missing


def with_missing_candles(series: CandleSeries, most: int) -> Layout:
    """A row for every candle that is there or missing; at most `most` in a hole, as a window shows no more of it."""
    at = np.arange(len(series)) + np.cumsum(np.minimum(holes(series), most))
    return _layout(series, at, int(at[-1]) + 1, float("nan"))


def by_trading_days(series: CandleSeries, config: days.Config) -> Layout:
    """A row for every place of every trading day, as factors are laid out that have a `features.day`.

    Raises RecipeError when the candles do not fill the hours, DataError when some stand outside them.
    """
    found = places_of(series, config)
    layout = _layout(series, found.at, found.count, 0.0)
    ends = np.zeros(found.count, dtype=bool)
    ends[found.at[found.closes]] = True
    return replace(layout, ends=ends)


def _layout(series: CandleSeries, at: NDArray[np.int64], count: int, empty: float) -> Layout:
    last = np.maximum(np.searchsorted(at, np.arange(count), side="right") - 1, 0)
    closes = series.close_time_ms[last] + (np.arange(count) - at[last]) * series.timeframe.milliseconds
    ends = np.zeros(count, dtype=bool)
    ends[at] = True
    return Layout(at=at, close_time_ms=closes, ends=ends, empty=empty)
