"""Rows that come again after a watch was begun anew with its state: known ones are ignored, however many they are.

A stream that runs takes a time far back for a clock that was set back (see `course`). Behind a state that was taken up
it is much likelier that the day's file is sent once more: everything up to the newest time that the state knows, of the
same symbol, counts as sent again until a row has gone past it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from triptych.inference.anomaly.course import Course
from triptych.inference.anomaly.instants import Clock
from triptych.inference.anomaly.ring import History
from triptych.inference.anomaly.thresholds import AbstractThreshold

SENT_AGAIN: Final = "ignored: sent again, the state knows its time"
"""Reason of a row that is ignored."""
PATIENCE: Final = 1000
"""Rows of one symbol that are ignored before that is told of; again at twice as many, and so on."""


@dataclass(kw_only=True, slots=True)
class Known:
    """What the state of one symbol knows, until a row has gone past it.

    Attributes:
        until: newest time before any that was doubtful.
        newest: time of the last row that had one.
        held: times of the rows that were held as doubtful.
        gap: times between which no row was: one between them is not known, but for `back`.
        back: time of the last row, where it was ignored and fell into that gap.
        behind: rows without a time, or ignored ones, behind the newest.
        ignored_behind: those of them that were ignored.
        ignored: rows that were sent again, in this watch.
        told: whether their number was told.
        late: `ignored_behind`, and late rows since then that the state does not know.
        left: of `behind`, how many may still come again; None before the newest time has.
        before: history and threshold as they were before rows that may be new; None where there are none.
        unsure: such rows.
        at: time of the last that was ignored.
    """

    until: float
    newest: float
    held: frozenset[float]
    gap: tuple[float, float] | None
    back: float | None
    behind: int
    ignored_behind: int
    late: int
    ignored: int = 0
    told: bool = False
    left: int | None = None
    before: tuple[History, AbstractThreshold | None] | None = None
    unsure: int = 0
    at: float = float("nan")

    @classmethod
    def of(cls, course: Course) -> Known | None:
        """What a course knows; None before its first time."""
        if course.time is None:
            return None
        begin, end = course.gap_begin, course.gap_end
        return cls(
            until=course.time if course.old_time is None else course.old_time,
            newest=course.time,
            held=frozenset(course.held_times),
            gap=None if begin is None or end is None else (begin, end),
            back=course.back,
            behind=course.untimed + course.ignored,
            ignored_behind=course.ignored,
            late=course.ignored,
        )

    def takes(self, time: float | None) -> bool:
        """Whether a row was sent again.

        One without a time is where rows before it were, up to as many as the state has seen behind its newest time.
        """
        if time is None:
            if not self.ignored or self.left == 0:
                return False
            self.left = None if self.left is None else self.left - 1
            return True
        if self.gap is not None and self.gap[0] < time < self.gap[1] and time != self.back:
            return False
        if time > self.until and time != self.newest and time not in self.held:
            return False
        self.at = time
        if time == self.newest:
            self.left, self.late = self.behind, self.ignored_behind
        elif self.left == 0:
            self.late += 1
        elif self.left is not None:
            self.left -= 1
        return True


class SentAgain:
    """Tells rows that are sent again from new ones behind the state of a stream that was taken up.

    A row that may be new, one without a time or far ahead, is taken for new, and taken back where a known one follows
    before the stream has gone on from it: it then was a row with a wrong time that the state knows, too.
    """

    def __init__(self, histories: Mapping[str, History], tell: Callable[[str], None]) -> None:
        """Expect rows that `histories` know. `tell` is told in words how many were ignored."""
        known = {symbol: Known.of(history.course) for symbol, history in histories.items()}
        self._open = {symbol: one for symbol, one in known.items() if one is not None}
        self._passed: list[Known] = []
        self._tell = tell

    def expects(self, symbol: str) -> bool:
        """Whether rows of a symbol may still be ones that were sent again."""
        return symbol in self._open

    def ignores(self, symbol: str, time: float | None, clock: Clock | None) -> bool:
        """Take in the time of a row. Returns whether it was sent again; `taken_back` then says what to go on with."""
        one = self._open[symbol]
        if not one.takes(time):
            return False
        one.ignored += 1 + one.unsure
        one.unsure = 0
        count = one.ignored
        if count >= PATIENCE and not count % PATIENCE and not (count // PATIENCE) & (count // PATIENCE - 1):
            who = f" of {symbol!r}" if symbol else ""
            self._tell(
                f"{count} rows{who} were ignored: they count as sent again, since none is later than "
                f"{_words(one.until, clock)}, the newest time that the state knows; the last one is of "
                f"{_words(one.at, clock)}. If these are new rows, since a clock was set back or the stream is another "
                "one, watch them with another --state file."
            )
        return True

    def keep(self, symbol: str, history: History, threshold: AbstractThreshold | None) -> None:
        """Keep what was before a row that may be new."""
        one = self._open[symbol]
        one.unsure += 1
        if one.before is None:
            one.before = (history.copy(), copy.deepcopy(threshold))

    def late(self, symbol: str) -> int:
        """Rows that were ignored since the newest time, as `Course.ignored` counts them."""
        return self._open[symbol].late

    def taken_back(self, symbol: str) -> tuple[History, AbstractThreshold | None] | None:
        """History and threshold as they were before rows that turned out not to be new; None where there were none."""
        one = self._open[symbol]
        before, one.before = one.before, None
        return before

    def went_past(self, symbol: str, clock: Clock | None) -> None:
        """Rows of a symbol are new from now on. Tells how many were ignored once no other is among those sent again."""
        self._passed.append(self._open.pop(symbol))
        if not any(one.ignored for one in self._open.values()) and (said := self.told(clock)):
            self._tell(said)

    def told(self, clock: Clock | None) -> str:
        """How many rows were ignored since that was told last, in words; empty for none."""
        untold = [one for one in (*self._passed, *self._open.values()) if one.ignored and not one.told]
        for one in untold:
            one.told = True
        count = sum(one.ignored for one in untold)
        if not count:
            return ""
        newest = _words(max(one.until for one in untold), clock)
        rows = "1 row was" if count == 1 else f"{count} rows were"
        came = "it came" if count == 1 else "they came"
        still = " No row was later." if any(one in self._open.values() for one in untold) else ""
        return f"{rows} ignored: {came} again, the state knows times until {newest}.{still}"


def _words(time: float, clock: Clock | None) -> str:
    if clock != "utc":
        return f"{time:g}"
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time)
    return f"{at:%Y-%m-%d %H:%M:%S}" + (f".{at.microsecond // 1000:03d}" if at.microsecond else "")
