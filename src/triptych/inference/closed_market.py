"""How old the last longer candle is, where a market closes: nights, weekends and holidays are no age, an outage is one.

At the first candle of the morning the last candle of 1h closed the evening before. Nothing has happened since, so it is
as fresh as it was then. Whether a hole in a history is a night or an outage is told from the holes before it, by
`outages`: never from what comes after.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries
from triptych.features.chart_patterns.outages import outages
from triptych.inference.base import AbstractView

LOOK_BACK: Final = 7_200
"""Candles before a hole by which it is told: five days of 1m around the clock, so that weekends are known as well."""
LONGEST_HOLIDAY_MS: Final = 12 * 86_400_000
"""The longest in which a market that keeps sessions stays closed: about the Chinese New Year up to eleven days."""
NO_PAST: Final[NDArray[np.int64]] = np.empty(0, dtype=np.int64)


def has_holes(series: CandleSeries) -> bool:
    """Whether any candle is missing between the first and the last: of a market around the clock none is, but for
    outages, and nothing needs to be told.
    """
    return len(series) > 1 and bool(np.diff(series.open_time_ms).max() > series.timeframe.milliseconds)


def ages_ms(
    series: CandleSeries, since_ms: NDArray[np.int64], past_ms: NDArray[np.int64] = NO_PAST
) -> NDArray[np.int64]:
    """Time from `since_ms` to each close of a history in which the market was open, or out; shape (n_candles,).

    Args:
        series: the history whose holes tell when the market was closed.
        since_ms: a time by candle, at its close or before, UTC milliseconds, shape (n_candles,).
        past_ms: open times of candles before the history, by which its first holes are told.
    """
    times, length = np.concatenate([past_ms, series.open_time_ms]), series.timeframe.milliseconds
    is_out = outages(times, length, memory=LOOK_BACK, longest_session_ms=LONGEST_HOLIDAY_MS)
    holes = np.diff(times, prepend=times[:1] - length) - length
    holes[is_out] = 0
    closed = np.cumsum(holes)
    first = np.searchsorted(times, since_ms)  # the first candle that opened then or later
    # Beyond the last candle nothing has been missed yet; of a hole that `since_ms` lies in, only the rest counts.
    within = np.minimum(first, len(times) - 1)
    rest = np.clip(times[within] - since_ms, 0, holes[within])
    until = np.where(first < len(times), closed[within] - rest, closed[-1])
    found: NDArray[np.int64] = series.close_time_ms - since_ms - (closed[len(past_ms) :] - until)
    return found


def past_of(view: AbstractView, own: CandleSeries, look_back: int) -> NDArray[np.int64]:
    """Open times of up to `look_back` candles before a history that has just been asked for, where they are needed.

    They tell its nights from outages; a history without a hole has none to tell.
    """
    if not look_back or not has_holes(own):
        return NO_PAST
    known = view.latest(own.symbol, len(own) + look_back)
    return NO_PAST if known is None else known.open_time_ms[: -len(own)]
