"""Which breaks in a grid of times are the calendar's and which are gaps, told from the history itself.

A week is cut into slots of one timeframe. A slot is open when candles stand in it in at least half of the weeks. A
break between two candles is a session break (night, lunch, weekend, holiday) in one of three cases:

    * no open slot lies inside it;
    * it begins and ends where breaks regularly do: its last candle's and its next candle's time of day are each found
      at a break in at least a tenth of the weeks (and three times). This keeps sessions whole when the clocks change;
    * candles of a day or longer in a calendar with closed days: at most eight open slots in a row are missing (a
      week's holiday).

A slot that has passed fewer than three times is judged by its time of day instead: open when candles stand there on
half of the days; in less than three days every slot counts as open.

A session break of more than 21 days is a gap all the same. Every other break is a gap, and the open slots inside it
are its missing candles, so an always-open market counts every one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import Timeframe

_DAY_MS: Final = 86_400_000
_WEEK_MS: Final = 7 * _DAY_MS
_MONDAY_MS: Final = 4 * _DAY_MS
_OPEN_SHARE: Final = 0.5
_FEWEST_WEEKS: Final = 3
_FEWEST_DAYS: Final = 3
_REGULAR_SHARE: Final = 0.1
_REGULAR_COUNT: Final = 3
_LONGEST_HOLIDAY: Final = 8
_LONGEST_SESSION_BREAK_MS: Final = 21 * _DAY_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class Breaks:
    """Steps longer than the timeframe in strictly rising times.

    Attributes:
        after: int64 array of shape (n_breaks,): position of the last candle before each break.
        is_session: bool array of the same shape.
        missing: int64 array of the same shape: open slots inside a gap, 0 for a session break.
        open_share: share of the week's slots that are open; 1 for a market that never closes.
    """

    after: NDArray[np.int64]
    is_session: NDArray[np.bool_]
    missing: NDArray[np.int64]
    open_share: float


def find_breaks(times: NDArray[np.int64], timeframe: Timeframe) -> Breaks:
    """Breaks of strictly rising times (UTC ms, int64 of shape (n_candles,))."""
    length = timeframe.milliseconds
    after = np.flatnonzero(np.diff(times) > length)
    before_ms, next_ms = times[after], times[after + 1]
    if _WEEK_MS % length or times.size < 2:
        missing = (next_ms - before_ms - 1) // length
        return Breaks(after=after, is_session=np.zeros(after.size, dtype=bool), missing=missing, open_share=1.0)
    is_open = _open_slots(times, length)
    expected = _open_between(before_ms, next_ms, is_open, length)
    is_session = expected == 0
    if length < _DAY_MS:
        weeks = (times[-1] - times[0]) / _WEEK_MS
        is_session |= _regular(before_ms % _DAY_MS, weeks) & _regular(next_ms % _DAY_MS, weeks)
    elif not is_open.all():
        is_session |= expected <= _LONGEST_HOLIDAY
    is_session &= next_ms - before_ms <= _LONGEST_SESSION_BREAK_MS
    # A gap of a few slots that the calendar calls closed is still one candle at least.
    missing = np.where(is_session, 0, np.maximum(expected, 1))
    return Breaks(after=after, is_session=is_session, missing=missing, open_share=float(is_open.mean()))


def _open_slots(times: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """Bool array of shape (slots_per_week,), Monday first: whether the slot usually holds a candle."""
    n_slots = _WEEK_MS // length
    slots = (times - _MONDAY_MS) % _WEEK_MS // length
    # How often each slot has passed between the first and the last candle.
    first, last = (int(times[0]) - _MONDAY_MS) // length, (int(times[-1]) - _MONDAY_MS) // length
    passed = np.full(n_slots, (last - first + 1) // n_slots, dtype=np.int64)
    passed[(first + np.arange((last - first + 1) % n_slots)) % n_slots] += 1
    seen = np.bincount(slots, minlength=n_slots)
    is_open: NDArray[np.bool_] = (seen > 0) & (seen >= _OPEN_SHARE * passed)
    return is_open | (passed < _FEWEST_WEEKS) & _open_days(times, length, seen)


def _open_days(times: NDArray[np.int64], length: int, seen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The same where a history is too short to know its week: by time of day, or without weekends never traded."""
    if length >= _DAY_MS:
        weekend = np.arange(seen.size) * length >= 5 * _DAY_MS
        return ~weekend | (seen > 0)
    days = 1 + np.count_nonzero(np.diff(times // _DAY_MS))
    if days < _FEWEST_DAYS or _DAY_MS % length:
        return np.ones(seen.size, dtype=bool)
    by_time_of_day = np.bincount(times % _DAY_MS // length, minlength=_DAY_MS // length)
    return np.tile(by_time_of_day >= _OPEN_SHARE * days, 7)


def _open_between(
    before_ms: NDArray[np.int64], next_ms: NDArray[np.int64], is_open: NDArray[np.bool_], length: int
) -> NDArray[np.int64]:
    """Open slots strictly between two candles, without walking through them."""
    n_slots = is_open.size
    total = np.r_[0, np.cumsum(is_open)].astype(np.int64)

    def until(slot: NDArray[np.int64]) -> NDArray[np.int64]:
        counted: NDArray[np.int64] = slot // n_slots * total[-1] + total[slot % n_slots]
        return counted

    first = (before_ms - _MONDAY_MS) // length + 1
    last = (next_ms - _MONDAY_MS) // length
    return until(np.maximum(first, last)) - until(first)


def _regular(slots: NDArray[np.int64], weeks: float) -> NDArray[np.bool_]:
    """Whether each time of day is one at which breaks regularly begin (or end)."""
    _, which, counts = np.unique(slots, return_inverse=True, return_counts=True)
    regular: NDArray[np.bool_] = (counts >= max(_REGULAR_COUNT, _REGULAR_SHARE * weeks))[which]
    return regular
