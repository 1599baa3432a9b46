"""Time of day, of week and of year at which the candle CLOSED (UTC): known then, and when a decision is taken.

Of daily candles the time of day never changes; the set `grid56_daily` has the time of year in its place.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from triptych.features._history import History
from triptych.features._rolling import Array
from triptych.features.factor import Factor, Family

_factor = Family("calendar")
DAY_MS = 86_400_000
MONDAY_MS = 4 * DAY_MS
"""The first Monday: the epoch was a Thursday."""


def _day(h: History) -> Array:
    angle: Array = (2.0 * np.pi / DAY_MS) * (h.close_time_ms % DAY_MS).astype(np.float64)
    return angle


def _year(h: History) -> Array:
    years = h.close_time_ms.astype("datetime64[ms]").astype("datetime64[Y]")
    start, stop = (y.astype("datetime64[ms]").astype(np.int64) for y in (years, years + 1))
    angle: Array = 2.0 * np.pi * (h.close_time_ms - start) / (stop - start)
    return angle


def _week(h: History) -> Array:
    into = (h.close_time_ms - MONDAY_MS) % (7 * DAY_MS)
    angle: Array = (2.0 * np.pi / (7 * DAY_MS)) * into.astype(np.float64)
    return angle


FACTORS: Final[tuple[Factor, ...]] = (
    _factor("day_sine", 0, lambda h: np.sin(_day(h)), "sine of the time of day of the close, UTC", "sine"),
    _factor("day_cosine", 0, lambda h: np.cos(_day(h)), "cosine of the time of day of the close, UTC", "sine"),
    _factor(
        "week_sine", 0, lambda h: np.sin(_week(h)), "sine of the time since Monday 00:00 of the close, UTC", "sine"
    ),
    _factor(
        "week_cosine", 0, lambda h: np.cos(_week(h)), "cosine of the time since Monday 00:00 of the close, UTC", "sine"
    ),
    _factor("year_sine", 0, lambda h: np.sin(_year(h)), "sine of the part of the year gone by at the close", "sine"),
    _factor(
        "year_cosine", 0, lambda h: np.cos(_year(h)), "cosine of the part of the year gone by at the close", "sine"
    ),
)
"""To add a factor, add a line."""
