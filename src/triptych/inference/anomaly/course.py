"""The course of a stream's times: which row is the next, comes late, was sent again, or has a wrong time.

A row whose time is ahead may stand behind a gap, or its time may be wrong. Which it is nobody can know before the next
row: that one goes on either from the row that was ahead, or from the row before it. Streams and tables judge by the
same course, so they agree about every row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain.errors import DataError
from triptych.inference.anomaly.steps import LATE

AGAIN: Final = 96
"""Steps back within which a row counts as one that was sent again, also where fewer rows are remembered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a row's time says.

    Attributes:
        dropped: rows before it that are bad ones because their times turned out wrong.
        goes_back: whether these were held as doubtful: what was before them goes on.
        ahead: steps from the row before where it is held as doubtful, below 0 far back; 0 where it is not.
        is_repeated: it is not newer than the row before: one that was sent again.
    """

    dropped: int = 0
    goes_back: bool = False
    ahead: float = 0.0
    is_repeated: bool = False


@dataclass(kw_only=True, slots=True)
class Course:
    """Where a stream stands in time; plain values, fit for a file.

    Attributes:
        time: of the last row that had one; None before the first.
        untimed: rows since then without a time.
        ignored: rows since then that were taken for ones sent again.
        old_time, old_untimed: the first two before the rows that are held as doubtful; None where none is.
        held: rows that are held as doubtful.
        held_times: times of the last of them that had one.
        gap_begin, gap_end: times between which no row was, of the last gap.
        back: the time of the last row, where it was one that fell into that gap.
    """

    time: float | None = None
    untimed: int = 0
    ignored: int = 0
    old_time: float | None = None
    old_untimed: int = 0
    held: int = 0
    held_times: tuple[float, ...] = ()
    gap_begin: float | None = None
    gap_end: float | None = None
    back: float | None = None

    def take(self, time: float | None, *, step: float | None, memory: int) -> Verdict:
        """Go on by a row. `step` is the usual one in the unit of times, None where none is known: then only times that
        are equal say anything; `memory` are the rows that are remembered."""
        if time is None:
            self.untimed += 1
            self.held += self.old_time is not None
            return Verdict()
        if self.time is None:
            return self._goes_on(time)
        if step is None or step <= 0:
            return Verdict(is_repeated=True) if time == self.time else self._goes_on(time)
        dropped = self._fall_back(time, step)
        after, most = time - self.time, (LATE + self.untimed) * step
        if after <= 0:
            return self._is_behind(time, step, memory, dropped)
        if after > most:
            if not dropped and self.old_time is None and after <= most + self.ignored * step:
                return self._goes_on(time, math.ceil((after - most) / step))  # what was ignored had a wrong time
            self._doubt(time)
            return Verdict(dropped=dropped, goes_back=dropped > 0, ahead=after / step)
        if self.old_time is not None:  # it goes on from the doubtful row
            if self.old_time < self.time:
                self.gap_begin, self.gap_end = self.old_time, self.time
            self._settle()
        return self._goes_on(time, dropped, goes_back=dropped > 0)

    def _goes_on(self, time: float, dropped: int = 0, *, goes_back: bool = False) -> Verdict:
        self.time, self.untimed, self.ignored, self.back = time, 0, 0, None
        return Verdict(dropped=dropped, goes_back=goes_back)

    def _doubt(self, time: float) -> None:
        """Hold a row as doubtful."""
        if self.old_time is None:
            self.old_time, self.old_untimed = self.time, self.untimed
        self.held += 1
        self.held_times = (*self.held_times, time)[-AGAIN:]
        self._goes_on(time)

    def _settle(self) -> None:
        """Hold no row as doubtful any more."""
        self.old_time, self.held, self.held_times = None, 0, ()

    def _fall_back(self, time: float, step: float) -> int:
        """Drop the doubtful rows where a row does not go on from them, but may from those before. Returns how many."""
        if self.time is None or self.old_time is None or time <= self.old_time:
            return 0
        goes_on = 0 < time - self.time <= (LATE + self.untimed) * step
        came_again = time == self.time and time - self.old_time > (LATE + self.old_untimed + self.held) * step
        if goes_on or came_again or time > self.time > self.old_time:
            return 0
        dropped = self.held
        self.time, self.untimed, self.ignored = self.old_time, self.old_untimed + dropped, 0
        self._settle()
        return dropped

    def _is_behind(self, time: float, step: float, memory: int, dropped: int) -> Verdict:
        """A row that is not later: sent again, unless it is far back, or the second in a row of times not yet seen."""
        newest = self.time if self.old_time is None else self.old_time
        assert newest is not None
        begin, end, back = self.gap_begin, self.gap_end, self.back
        unseen = begin is not None and end is not None and begin < time < end
        set_back = unseen and back is not None and 0 < time - back <= LATE * step
        if not set_back and newest - time <= step * max(memory, AGAIN):
            self.back = time if unseen else None
            self.ignored += 1
            return Verdict(is_repeated=True)
        ahead = (time - newest) / step
        self._doubt(time)
        if set_back:  # two rows agree
            self._settle()
            self.gap_begin = self.gap_end = None
        return Verdict(dropped=dropped, goes_back=dropped > 0, ahead=ahead)


def without_odd_times(
    times: NDArray[np.float64],
    begins: NDArray[np.bool_],
    usual: NDArray[np.float64],
    source: NDArray[np.int64],
    *,
    refuse: bool,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Times of a table with those that are wrong put right, and which these are; both (n_rows,).

    A time is wrong where it is more than 1.5 usual steps ahead and the next row goes on from the row before, as a
    stream finds when that row comes. Such a row is a bad one.

    Args:
        times: of the rows, in any unit.
        begins: rows that begin an entity.
        usual: the usual step at each row, in the unit of times; 0 where none is known.
        source: where each row stood in its source, for messages, int64 (n_rows,).
        refuse: raise DataError for them.

    Raises DataError where times fall back otherwise.
    """
    odd = np.zeros(len(times), dtype=bool)
    steps, inside = np.diff(times), ~begins[1:]
    if not (inside & (steps <= 0)).any():
        return times, odd
    mended, course = times.copy(), Course()
    for row, time in enumerate(times.tolist()):
        if begins[row]:
            course = Course()
        before = course.old_time
        verdict = course.take(time, step=usual[row], memory=len(times))
        if verdict.is_repeated or verdict.ahead < 0:
            raise not_later(source, row)
        if verdict.dropped and before is not None:
            first = row - verdict.dropped
            if refuse:
                ahead = (times[first] - before) / usual[row]
                raise DataError(
                    f"The time of row {source[first]} is {ahead:.3g} steps ahead of row {source[first - 1]}, "
                    f"and row {source[row]} goes on from there: it is wrong.",
                    remedy='Put it right or remove the row, or choose bad_rows = "mask" (`triptych anomaly fit '
                    "--mask`).",
                )
            odd[first:row] = True
            one = min(usual[row], (time - before) / (verdict.dropped + 1))
            mended[first:row] = before + one * np.arange(1, verdict.dropped + 1)
    return mended, odd


def not_later(source: NDArray[np.int64], row: int) -> DataError:
    """The error of a row whose time falls back; `source` says where each row stood."""
    here, before = int(source[row]), int(source[row - 1])
    than = "the one before it" if before == here - 1 else f"that of row {before}, the one before it of its entity"
    return DataError(f"The time of row {here} is not later than {than}.", remedy="Sort the rows by time.")
