"""When a market closes, told from its candles: holes that recur at a time of day are nights, others are outages.

A market closes at a time of day where the candle that ended then was followed by a hole on most of the last ten days
that had such a candle; or, for a market that trades from Monday to Friday without a night, on most of the last four
such weekdays, with a hole of a day or longer. An hour that is missing at 03:00 is no night: on the days about it the
market went on at 03:00.

Of a hole that holds such a closing time, the market was closed as long as it usually is then. A hole that begins with
the closing and ends with the opening some days later is a weekend or holidays. What else is missing is an outage's, as
is any hole without a closing time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

LOOK_BACK: Final = 7_200
"""Candles before a hole by which it is told: five days of 1m around the clock, so that weekends are known as well."""
LONGEST_HOLIDAY_MS: Final = 12 * 86_400_000
"""The longest in which a market that keeps sessions stays closed: about the Chinese New Year up to eleven days."""
NO_PAST: Final[NDArray[np.int64]] = np.empty(0, dtype=np.int64)
DAYS: Final = 10
"""Days at a time of day by which nights are told: few enough that summer time is learned after six."""
WEEKS: Final = 4
"""The same of one weekday, for weekends."""
CLOCK_CHANGE_MS: Final = 3_600_000
"""A closing may be so much earlier, and the opening after it later, than usual: clocks are changed over a weekend."""
SHORTEST_PAUSE_MS: Final = 1_800_000
"""No market pauses for less at noon or between days: a shorter hole is of candles without a trade, and an age."""
SHORTEST_NIGHT_MS: Final = 4 * 3_600_000
"""One hole of this length is enough to tell a night with weekends; shorter ones, such as an hour's pause, take two."""
A_DAY: Final = 86_400_000
A_WEEK: Final = 7 * A_DAY


def closed_times(
    open_time_ms: NDArray[np.int64], timeframe_ms: int, *, memory: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """When the market was closed in the hole before each candle; see the module for what is told and how.

    Args:
        open_time_ms: open times, rising, UTC milliseconds, int64 of shape (n_candles,).
        timeframe_ms: length of a candle.
        memory: candles before a hole by which it is told; None: `LOOK_BACK`.

    Returns:
        Begin and end, UTC milliseconds, two int64 arrays of shape (n_candles,); both the open where nothing is missing
        or all that is missing is an outage's. The first candle has no hole before it. Of each candle they depend on
        those up to it, and on no more than `memory` + 1 before it. So the first night of a history is an outage.
    """
    begin_ms, end_ms = open_time_ms.copy(), open_time_ms.copy()
    missing = np.diff(open_time_ms, append=open_time_ms[-1:] + timeframe_ms) - timeframe_ms
    before = np.flatnonzero(missing >= SHORTEST_PAUSE_MS)
    if before.size == 0:
        return begin_ms, end_ms
    closes = _Closes.of(open_time_ms + timeframe_ms, missing, before, LOOK_BACK if memory is None else memory)
    for last in before.tolist():
        begin, end = open_time_ms[last] + timeframe_ms, open_time_ms[last + 1]
        begin_ms[last + 1], end_ms[last + 1] = closes.within(int(begin), int(end), last)
    return begin_ms, end_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class _Closes:
    """The closes of a history, by time of day.

    Attributes:
        close_ms: of every candle, int64 of shape (n_candles,).
        missing: time missing after each candle, milliseconds, int64 of shape (n_candles,).
        times_of_day: at which a hole has begun, int64 of shape (k,).
        at: by such a time of day, the candles that closed then, rising.
        memory: candles before a hole by which it is told.
    """

    close_ms: NDArray[np.int64]
    missing: NDArray[np.int64]
    times_of_day: NDArray[np.int64]
    at: dict[int, NDArray[np.int64]]
    memory: int

    @classmethod
    def of(
        cls, close_ms: NDArray[np.int64], missing: NDArray[np.int64], before: NDArray[np.int64], memory: int
    ) -> _Closes:
        """Of a history with holes after the candles `before`."""
        order = np.argsort(close_ms % A_DAY, kind="stable")
        sorted_times = (close_ms % A_DAY)[order]
        begins = np.unique(close_ms[before] % A_DAY)
        left, right = (np.searchsorted(sorted_times, begins, side=side) for side in ("left", "right"))
        at = {int(begin): order[i:j] for begin, i, j in zip(begins, left, right, strict=True)}
        return cls(close_ms=close_ms, missing=missing, times_of_day=begins, at=at, memory=memory)

    def within(self, begin: int, end: int, last: int) -> tuple[int, int]:
        """The longest time in the hole after candle `last` in which the market was closed; its end twice for none."""
        found = (end, end)
        earliest = begin - CLOCK_CHANGE_MS
        closings = earliest + (self.times_of_day - earliest) % A_DAY
        for closing in closings[closings < end].tolist():
            time_of_day = closing % A_DAY
            usual = self._closed_for(closing, end, time_of_day, last, is_whole=closing <= begin + CLOCK_CHANGE_MS)
            until = min(end, closing + usual)
            if until - max(begin, closing) > found[1] - found[0]:
                found = (max(begin, closing), until)
        return found

    def _closed_for(self, closing: int, end: int, time_of_day: int, last: int, *, is_whole: bool) -> int:
        """How long a market that may have closed at `closing` stays so, at most until about `end`; 0: it did not.

        Only where `is_whole`, in a hole that begins with the closing, whole days may be added.
        """
        known = self.at[time_of_day]
        known = known[np.searchsorted(known, last - self.memory) : np.searchsorted(known, last)]
        nights = self.missing[known[-DAYS:]]
        nights = nights[nights >= SHORTEST_PAUSE_MS]
        if 2 * nights.size > min(len(known), DAYS):
            usual = _middle(nights)
            # One hole alone is no custom, unless it lasted as a night does.
            may_be_longer = is_whole and (nights.size > 1 or usual >= SHORTEST_NIGHT_MS)
            return usual + (_whole_days(end - closing - usual) if may_be_longer else 0)
        weekday, usual, seen = self._weekend(known)
        is_weekend = closing % A_WEEK // A_DAY == weekday
        if is_weekend and end - closing < usual + A_DAY - CLOCK_CHANGE_MS:
            return usual
        rest = usual % A_DAY
        more = _whole_days(end - closing - rest) if is_whole and (is_weekend or seen > 1) else 0
        return rest + more if more else usual * is_weekend

    def _weekend(self, known: NDArray[np.int64]) -> tuple[int, int, int]:
        """The weekday on which the market closes at a time of day, for how long, and how often that has been seen;
        0 times where it never does.
        """
        weekdays = self.close_ms[known] % A_WEEK // A_DAY
        for weekday in np.unique(weekdays[self.missing[known] >= A_DAY]).tolist():
            after = self.missing[known[weekdays == weekday][-WEEKS:]]
            long = after[after >= A_DAY]
            if 2 * long.size > after.size:
                return weekday, _middle(long), long.size
        return -1, 0, 0


def _middle(lengths: NDArray[np.int64]) -> int:
    """The median; of an even number the shorter of the two in the middle."""
    return int(np.sort(lengths)[(len(lengths) - 1) // 2])


def _whole_days(rest_ms: int) -> int:
    """What is left of a hole, milliseconds, where it is whole days but for a change of clocks; else 0."""
    days = (rest_ms + CLOCK_CHANGE_MS) // A_DAY * A_DAY
    return days if 0 < days <= LONGEST_HOLIDAY_MS and rest_ms - days <= CLOCK_CHANGE_MS else 0
