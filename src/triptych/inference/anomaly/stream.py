"""A detector fed row by row: what `update` says of a row is what `decision_function` would have said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.domain.errors import DataError
from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.instants import Clock, moment
from triptych.inference.anomaly.thresholds import AbstractThreshold, create_threshold
from triptych.inference.anomaly.thresholds import Config as ThresholdConfig
from triptych.inference.anomaly.time_texts import REMEDY
from triptych.inference.watch import Reading

Row = Mapping[str, float] | Sequence[float] | NDArray[np.floating] | Any
"""Values of the channels by name (a mapping, a row of a data frame, a named tuple), or without names in the order of
the detector's columns; anything else is a bad row."""


class _Ring:
    """The last rows of one stream."""

    def __init__(self, memory: int, channels: int) -> None:
        self._rows = np.zeros((2 * memory, channels), dtype=np.float32)  # each row twice: any window is contiguous
        self._memory = memory
        self._end = 0
        self.count = 0
        self.bad_run = 0
        self.time: float | None = None
        self.untimed = 0  # rows since then whose times are not known
        self.last: NDArray[np.float64] | None = None
        self.known: object | None = None
        """What the detector gave for the window as it was before the last row, see `AbstractDetector.follow`."""
        self._known_now: object | None = None

    def push(self, row: NDArray[np.float32]) -> None:
        self.known, self._known_now = self._known_now, None
        self._rows[self._end] = self._rows[self._end + self._memory] = row
        self._end = (self._end + 1) % self._memory
        self.count = min(self.count + 1, self._memory)

    def keep(self, known: object | None) -> None:
        """Keep what the detector gave for the window as it is, until the row after the next."""
        self._known_now = known

    def window(self) -> NDArray[np.float32]:
        return self._rows[self._end : self._end + self._memory]

    def clear(self) -> None:
        self.count = self._end = self.bad_run = 0
        self.last = self.known = self._known_now = None


class DetectorStream:
    """Keeps the last rows of any number of symbols and scores each new row.

    It never raises because of what a row holds: rows that are not numbers are bridged or start the warm-up again, as
    `bad_rows = "mask"` does for tables; a late row starts it again too. A row that is not later than the one before is
    one that was sent again: it is ignored, and the reading says so.
    """

    def __init__(
        self, detector: AbstractDetector, threshold: ThresholdConfig | None = None, *, step: float | None = None
    ) -> None:
        """Open streams.

        Args:
            detector: fitted, causal.
            threshold: how the threshold moves; None keeps the detector's own.
            step: usual time from row to row in seconds, or in the numbers of times that count something of their own;
                None takes that of the fit, and asks no times where there were none.

        Raises DataError when the detector looks ahead.
        """
        if getattr(detector.config, "placement", "causal") != "causal":
            raise DataError(
                'A detector with placement = "centred" looks ahead and cannot follow a stream.',
                remedy='Fit it with placement = "causal".',
            )
        self._detector = detector
        self._config = threshold or ThresholdConfig(method="fixed")
        self._given_step = step
        self._clock: Clock | None = None if detector.span_ is None else detector.span_.clock
        self._rings: dict[str, _Ring] = {}
        self._thresholds: dict[str, AbstractThreshold] = {}

    def update(self, row: Row, *, symbol: str = "", time: Any = None) -> Reading:
        """Take in the next row of one symbol. Never raises: what is no row of these channels is a bad row.

        `time` is a datetime, a text as ISO 8601, or a number (see `instants`): seconds and milliseconds since 1970 are
        told apart. A row whose time is anything else is a bad one; None is no time, and no gap is then seen.
        """
        return self.update_many({symbol: row}, time=time)[symbol]

    def update_many(self, rows: Mapping[str, Row], *, time: Any = None) -> dict[str, Reading]:
        """Take in a row of each of several symbols, scored in one batch."""
        when, no_time = self._when(time)
        readings: dict[str, Reading] = {}
        ready: list[str] = []
        read = {symbol: self._values(row) for symbol, row in rows.items()}  # all of them before any is taken in
        for symbol, (values, why) in read.items():
            if no_time:
                values, why = np.full(len(values), np.nan), no_time
            silent = self._take(symbol, values, when)
            if silent is not None and why:
                silent = f"{silent} ({why})"
            if silent is None:
                ready.append(symbol)
            else:
                readings[symbol] = Reading(
                    score=0.0, threshold=self._threshold(symbol).value(), alarm=False, reasons=silent
                )
        if ready:
            rings = [self._rings[symbol] for symbol in ready]
            assessed, known = self._detector.follow(
                np.stack([ring.window() for ring in rings]), [ring.known for ring in rings]
            )
            for ring, one in zip(rings, known, strict=True):
                ring.keep(one)
            for symbol, score, evidence in zip(ready, assessed.scores.tolist(), assessed.evidence, strict=True):
                threshold = self._threshold(symbol)
                limit = threshold.value()
                alarm = score > limit
                threshold.learn(score)
                readings[symbol] = Reading(
                    score=score, threshold=limit, alarm=alarm,
                    reasons=self._detector.reasons_of(evidence) if alarm else "",
                )  # fmt: skip
        return {symbol: readings[symbol] for symbol in rows}

    def check_time(self, time: Any) -> None:
        """Raise DataError where a time is readable and yet counts something else than those of the fit."""
        at, clock = moment(time, clock=self._clock)
        if math.isfinite(at) and self._clock is not None and clock != self._clock:
            wanted = {"utc": "times since 1970", "count": "a count of their own, such as seconds since a start"}
            raise DataError(
                f"The time {time!r} is of another unit than those of the fit: it reads as {wanted[clock]}, the "
                f"detector knows {wanted[self._clock]}.",
                remedy=REMEDY if self._clock == "utc" else "Send the count that the detector was fitted on.",
            )

    def _when(self, time: Any) -> tuple[float | None, str]:
        """A time in the stream's unit, None where there is none; and what is wrong with one that cannot be read."""
        if time is None:
            return None, ""
        at, clock = moment(time, clock=self._clock)
        if not math.isfinite(at):
            return None, f"{str(time)[:40]!r} is no time"
        if self._clock is None:
            self._clock = clock
        if clock != self._clock:
            return None, f"the time {str(time)[:40]!r} is of another unit"
        return at, ""

    @property
    def memory(self) -> int:
        """Rows without a break that a score needs."""
        return self._detector.memory

    @property
    def clock(self) -> Clock | None:
        """What times count: that of the fit, or of the first time that came."""
        return self._clock

    @property
    def step(self) -> float | None:
        """The usual time from row to row, UTC milliseconds or in the source's own numbers; None where none is known."""
        if self._given_step is not None:
            return self._given_step * (1.0 if self._clock == "count" else 1000.0)
        return None if self._detector.span_ is None else self._detector.span_.step

    def step_of(self, symbol: str) -> float | None:
        """The usual step of one symbol: where entities of the fit had other steps than most, its own."""
        span = self._detector.span_
        return self.step if self._given_step is not None or span is None else span.step_of(symbol)

    def _take(self, symbol: str, values: NDArray[np.float64], time: float | None) -> str | None:
        """Put a row into its ring. Returns why it cannot be scored, or None."""
        detector = self._detector
        ring = self._rings.setdefault(symbol, _Ring(detector.memory, len(values)))
        step = self.step_of(symbol)
        if self._is_repeated(ring, time, step):
            return "ignored: not later than the row before"
        late = self._is_late(ring, time, step)
        if late:
            ring.clear()
        ring.time, ring.untimed = (ring.time, ring.untimed + 1) if time is None else (time, 0)
        if not np.isfinite(values).all():
            ring.bad_run += 1
            if ring.last is None or ring.bad_run > detector.config.bridge:
                ring.clear()
                return "bad row: starts anew"
            ring.push(detector.scaling_(ring.last))
            return "bad row: bridged"
        ring.bad_run = 0
        ring.last = values
        ring.push(detector.scaling_(values))
        if ring.count < detector.memory:
            return f"warming up: {ring.count} of {detector.memory} rows" + (" after a gap" if late else "")
        return None

    def _is_late(self, ring: _Ring, time: float | None, step: float | None) -> bool:
        if step is None or time is None or ring.time is None:
            return False
        after = time - ring.time
        return after <= 0 or (self._detector.config.breaks and after > (1.5 + ring.untimed) * step)

    def _is_repeated(self, ring: _Ring, time: float | None, step: float | None) -> bool:
        """Whether a row is not newer than the last; one from before the whole window is another history."""
        if time is None or ring.time is None or time > ring.time:
            return False
        return ring.time - time <= (step or 0.0) * self._detector.memory

    def _values(self, row: Row) -> tuple[NDArray[np.float64], str]:
        """The channels' values, NaN where there is no number, and what was wrong with the row."""
        columns = self._detector.columns_
        nothing = np.full(len(columns), np.nan)
        row = _by_name(row)
        if isinstance(row, Mapping):
            missing = [name for name in columns if name not in row]
            if missing:
                return nothing, f"no channel {missing[0]!r}"
            row = [row[name] for name in columns]
        if isinstance(row, (str, bytes)) or not hasattr(row, "__len__"):
            return nothing, f"{type(row).__name__} is no row"
        if len(row) != len(columns):
            return nothing, f"{len(row)} values of {len(columns)} channels"
        values = np.array([_number(value) for value in row], dtype=np.float64)
        wrong = np.flatnonzero(~np.isfinite(values))
        return values, f"{columns[wrong[0]]} is no number" if wrong.size else ""

    def _threshold(self, symbol: str) -> AbstractThreshold:
        if symbol not in self._thresholds:
            detector = self._detector
            self._thresholds[symbol] = create_threshold(
                self._config, detector.threshold_, detector.held_out_in_order_, reach=detector.reach_
            )
        return self._thresholds[symbol]


def _by_name(row: Any) -> Any:
    """A row that names its values as a mapping: of a data frame, a named tuple, a structured array; else itself."""
    if isinstance(row, pl.DataFrame):
        return row.row(0, named=True) if row.height == 1 else row
    if hasattr(row, "_asdict"):
        return row._asdict()
    names = getattr(getattr(row, "dtype", None), "names", None)
    if names:
        return {name: row[name] for name in names}
    if hasattr(row, "iloc") and hasattr(row, "columns") and len(row) == 1:
        row = row.iloc[0]
    labels: Any = getattr(row, "index", None)
    if hasattr(row, "iloc") and any(isinstance(label, str) for label in labels):  # pandas counts nameless values
        return {label: row.iloc[i] for i, label in enumerate(labels)} if labels.is_unique else {}
    return row


def _number(value: Any) -> float:
    """A number, or NaN for anything else, such as a text, a list or an integer beyond all floats."""
    if isinstance(value, (str, bytes)):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
