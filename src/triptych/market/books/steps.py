"""Which messages of a recorded stream change the book, in which order, and until when the book is known.

The rules are the `Sequencer`'s. Whether a message leaves the book crossed shows only when it is applied, and what comes
after it depends on that: so a stretch of the stream, from one snapshot to the next, is planned, applied by compiled
code, and where that meets a crossing planned again, as far as the message that caused it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triptych.market.books._replay_kernel import find_crossings
from triptych.market.books.events import BookEvents
from triptych.market.books.sequence import BookStatus, Sequencer
from triptych.market.books.soundness import unsound_messages

UNSOUND = "its levels cannot be right"


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    """Messages in the order in which they change the book; a step is the application of one message.

    Attributes:
        message, stretch: int64 of shape (s,).
        resets: bool of shape (s,): the step begins a new book.
        shows: bool of shape (s,): whether the book after this step ever existed. False for a snapshot and all but the
            last of the deltas that waited for it: they are one change.
        crosses: bool of shape (s,): the book is crossed after this step, and is not lost by it. A step by which it
            would be lost is none.
        time_ns: int64 of shape (s,), never falling.
        end_ns: int64 of shape (stretches,): time of the last message after which the book of a stretch was known.
        counts: what became of the messages.
    """

    message: NDArray[np.int64]
    stretch: NDArray[np.int64]
    resets: NDArray[np.bool_]
    shows: NDArray[np.bool_]
    crosses: NDArray[np.bool_]
    time_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]
    counts: Counter[BookStatus]


def plan_steps(events: BookEvents, time_ns: NDArray[np.int64]) -> Steps:
    """Plan a recording whose messages have these times, int64 of shape (m,), never falling."""
    planner = _Planner(events, time_ns)
    planner.run()
    return planner.steps()


class _State(NamedTuple):
    """Where planning stood before a message was offered."""

    at: int
    sequencer: Sequencer[int]
    n_rows: int
    n_stretches: int
    last_end_ns: int


class _Planner:
    """The plan as far as it is made. `_mark` is the state before the latest new book: planning goes back to it."""

    def __init__(self, events: BookEvents, time_ns: NDArray[np.int64]) -> None:
        self._events = events
        self._ids = list(events.ids())
        self._times = time_ns.tolist()
        self._problems = [UNSOUND if wrong else "" for wrong in unsound_messages(events).tolist()]
        self._sequencer: Sequencer[int] = Sequencer(events.protocol)
        # Of every step: message, stretch, whether it resets, whether it shows, time, message that let it happen.
        self._rows: list[tuple[int, int, bool, bool, int, int]] = []
        self._end_ns: list[int] = []
        self._crossing: set[int] = set()
        self._mark = self._state(0)

    def run(self) -> None:
        """Plan all messages."""
        at = 0
        while True:
            ended = at == len(self._ids)
            begins = not ended and self._sequencer.begins_book(self._ids[at])
            if (ended or begins) and self._meets_crossing():
                at = self._go_back()
                continue
            if ended:
                return
            before = self._state(at) if begins else None
            ruling = self._offer(at)
            if before is not None and ruling is BookStatus.RESET:
                self._mark = before
            at += 1

    def steps(self) -> Steps:
        """The plan in columns."""
        message, stretch, resets, shows, time_ns, _ = self._columns(0)
        counts = self._sequencer.counts
        crosses = np.zeros(len(message), np.bool_)
        if self._sequencer.outlives_crossing:
            self._apply(message, resets, shows, crosses, stop=False)
            for status, chosen in ((BookStatus.RESET, resets), (BookStatus.APPLIED, ~resets)):
                n = int(np.count_nonzero(crosses & chosen))
                counts[status] -= n
                counts[BookStatus.CROSSED] += n
        return Steps(
            message=message, stretch=stretch, resets=resets, shows=shows, crosses=crosses,
            time_ns=time_ns, end_ns=np.array(self._end_ns, np.int64), counts=+counts,
        )  # fmt: skip

    def _offer(self, at: int) -> BookStatus:
        sequencer, ids = self._sequencer, self._ids[at]
        begun = sequencer.stretches
        ruling = sequencer.offer(ids, at, self._problems[at])
        if at in self._crossing:
            sequencer.cross()
            return ruling.status
        resets = ruling.status is BookStatus.RESET
        if sequencer.stretches > begun:
            self._end_ns.append(-1)
        stretch, final = len(self._end_ns) - 1, len(ruling.items) - 1
        for place, item in enumerate(ruling.items):
            time_ns = self._times[max(ruling.items)]
            self._rows.append((item, stretch, resets and place == 0, place == final, time_ns, at))
        if sequencer.is_synchronised:
            self._end_ns[-1] = self._times[at]
        return ruling.status

    def _meets_crossing(self) -> bool:
        """Whether a step since the mark leaves the book crossed and loses it; its message is then remembered."""
        if self._sequencer.outlives_crossing or len(self._rows) == self._mark.n_rows:
            return False
        message, _, resets, shows, _, by = self._columns(self._mark.n_rows)
        crosses = np.zeros(len(message), np.bool_)
        self._apply(message, resets, shows, crosses, stop=True)
        if crosses.any():
            self._crossing.add(int(by[crosses.argmax()]))
        return bool(crosses.any())

    def _apply(
        self, message: NDArray[Any], resets: NDArray[Any], shows: NDArray[Any], crosses: NDArray[Any], *, stop: bool
    ) -> None:
        events = self._events
        find_crossings(
            message, resets, shows, events.level_start, events.is_ask, events.price_ticks, events.sizes, stop, crosses
        )

    def _columns(self, first: int) -> list[NDArray[Any]]:
        rows = self._rows[first:]
        columns = zip(*rows, strict=True) if rows else [()] * 6
        kinds = (np.int64, np.int64, np.bool_, np.bool_, np.int64, np.int64)
        return [np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]

    def _state(self, at: int) -> _State:
        return _State(at, self._sequencer.copy(), len(self._rows), len(self._end_ns), (self._end_ns or [-1])[-1])

    def _go_back(self) -> int:
        mark = self._mark
        self._sequencer = mark.sequencer.copy()
        del self._rows[mark.n_rows :]
        del self._end_ns[mark.n_stretches :]
        if self._end_ns:
            self._end_ns[-1] = mark.last_end_ns
        return mark.at
