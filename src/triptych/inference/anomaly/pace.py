"""Streams whose rows are not as far apart as those of the fit, told aloud: each is on time, and none is right."""

from __future__ import annotations

import math
from statistics import median
from typing import Any, Final

from triptych.inference.anomaly.instants import moment
from triptych.inference.anomaly.steps import differs, words
from triptych.inference.anomaly.stream import DetectorStream

_SEEN: Final = 10
"""Steps that say how far a symbol's rows are apart."""


class Pace:
    """Looks at the first steps of each symbol."""

    def __init__(self, stream: DetectorStream) -> None:
        self._stream = stream
        self._last: dict[str, float] = {}
        self._steps: dict[str, list[float]] = {}

    def note(self, symbol: str, time: Any) -> str:
        """Take in the time of a row. Returns a warning once the symbol's steps are known to be others; else nothing."""
        steps, usual, clock = self._steps.setdefault(symbol, []), self._stream.step_of(symbol), self._stream.clock
        if len(steps) == _SEEN or usual is None or clock is None:
            return ""
        at, counts = moment(time, clock=clock)
        if not math.isfinite(at) or counts != clock:
            return ""
        before = self._last.get(symbol)
        self._last[symbol] = at
        if before is None or at <= before:
            return ""
        steps.append(at - before)
        if len(steps) < _SEEN or not differs(median(steps), usual):
            return ""
        whose = f"Rows of {symbol!r}" if symbol else "Rows"
        return (
            f"{whose} come {words(median(steps), clock)} apart, the detector was fitted on rows that are "
            f"{words(usual, clock)} apart: as many of them span another time."
        )
