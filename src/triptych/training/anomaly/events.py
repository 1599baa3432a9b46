"""Events, and when an alarm found them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.training.anomaly.pieces import Pieces
from triptych.training.anomaly.runs import first_alarm

LEAD: Final = 8
"""Rows that a run of alarms may begin before an event and still count as raised by it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Rows `start` .. `stop` - 1 that are one event, in a part of rows `low` .. `high` - 1.

    Its own rows are those with a score: an event whose first rows have none begins with the first that has.
    """

    start: int
    stop: int
    low: int
    high: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """The first alarm of an event, None where there is none, and whether it had been running since long before."""

    row: int | None
    running: bool = False


def events_in(pieces: Pieces, wanted: Iterable[tuple[int, int]]) -> tuple[list[Event], int]:
    """The events that have rows with a score, and how many have none.

    `wanted` are first and last + 1 rows; what reaches over the end of a part is cut off there.
    """
    parts = pieces.spans()
    starts = np.asarray([low for low, _ in parts])
    found, left_out = [], 0
    for start, stop in wanted:
        low, high = parts[int(np.searchsorted(starts, start, side="right")) - 1]
        own = pieces.cut(start, min(stop, high))
        if own is None:
            left_out += 1
        else:
            found.append(Event(start=own[0], stop=own[1], low=low, high=high))
    return found, left_out


def finding(
    event: Event, alarms: NDArray[np.bool_], known: NDArray[np.bool_], *, until: int, lead: int = LEAD
) -> Finding:
    """The first alarm from an event's first row to row `until` - 1 of its part.

    It was running where a run of alarms that goes on in the event's first row began more than `lead` rows before it.
    Rows without a score do not end a run.
    """
    row = first_alarm(alarms, event.start, min(until, event.high))
    if row != event.start:
        return Finding(row=row)
    before = slice(event.low, event.start)
    quiet = np.flatnonzero(known[before] & ~alarms[before])
    resumed = event.low + (int(quiet[-1]) + 1 if quiet.size else 0)
    began = first_alarm(alarms, resumed, event.start + 1)
    return Finding(row=row, running=began is not None and event.start - began > lead)
