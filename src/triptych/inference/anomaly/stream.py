"""A detector fed row by row: what `update` says of a row is what `decision_function` would have said."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.domain.errors import DataError
from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.instants import Clock, moment
from triptych.inference.anomaly.ring import History, Ring
from triptych.inference.anomaly.sent_again import SENT_AGAIN, SentAgain
from triptych.inference.anomaly.thresholds import AbstractThreshold
from triptych.inference.anomaly.thresholds import Config as ThresholdConfig
from triptych.inference.anomaly.time_texts import REMEDY
from triptych.inference.anomaly.times import rows_per_day_at
from triptych.inference.watch import Reading

Row = Mapping[str, float] | Sequence[float] | NDArray[np.floating] | Any
"""Values of the channels by name (a mapping, a row of a data frame, a named tuple), or without names in the order of
the detector's columns; anything else is a bad row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamState:
    """What a stream remembers: what times count, and of each symbol its rows and its threshold."""

    clock: Clock | None
    histories: Mapping[str, History]
    thresholds: Mapping[str, AbstractThreshold]


class DetectorStream:
    """Keeps the last rows of any number of symbols and scores each new row.

    It never raises because of what a row holds: rows that are not numbers are bridged or start the warm-up again, as
    `bad_rows = "mask"` does for tables; a late row starts it again too. A row that is not later than the one before is
    one that was sent again: it is ignored, and the reading says so. One that is far back (see `course`) begins anew,
    but for those behind a state that was taken up: all that it knows is ignored, from wherever it is sent again.

    Whether a late row stands behind a gap or has a wrong time only the next row can tell, so the window before it is
    kept beside. Where the next row goes on from there, the late one was a bad row: it is bridged, and no row more is
    lost. Its own reading was given and stays: without a score, or, where gaps break nothing, with one.
    """

    def __init__(
        self,
        detector: AbstractDetector,
        threshold: ThresholdConfig | None = None,
        *,
        step: float | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Open streams.

        Args:
            detector: fitted, causal.
            threshold: how the threshold moves; None keeps the detector's own.
            step: usual time from row to row in seconds, or in the numbers of times that count something of their own;
                None takes that of the fit, and asks no times where there were none.
            tell: told in words of rows whose times turned out wrong, and how many were ignored behind a state.

        Raises DataError when the detector looks ahead.
        """
        if getattr(detector.config, "placement", "causal") != "causal":
            raise DataError(
                'A detector with placement = "centred" looks ahead and cannot follow a stream.',
                remedy='Fit it with placement = "causal".',
            )
        self._detector = detector
        self._given_step = step
        self._tell = tell
        self._clock: Clock | None = None if detector.span_ is None else detector.span_.clock
        self._config = (threshold or ThresholdConfig(method="fixed")).among(self._rows_per_day())
        self._histories: dict[str, History] = {}
        self._thresholds: dict[str, AbstractThreshold] = {}
        self._sent_again = SentAgain({}, tell)

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
            silent = self._take(symbol, values, when, time)
            if silent is not None and why:
                silent = f"{silent} ({why})"
            if silent is None:
                ready.append(symbol)
            else:
                readings[symbol] = Reading(
                    score=0.0, threshold=self._threshold(symbol).value(), alarm=False, reasons=silent
                )
        if ready:
            rings = [self._histories[symbol].ring for symbol in ready]
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

    def state(self) -> StreamState:
        """All there is to remember; not a copy, the next row changes it."""
        return StreamState(clock=self._clock, histories=self._histories, thresholds=self._thresholds)

    def restore(self, state: StreamState) -> None:
        """Go on where the stream stood that gave this state, made of the same detector and settings."""
        self._clock, self._histories = state.clock, dict(state.histories)
        self._thresholds = dict(state.thresholds)
        self._sent_again = SentAgain(self._histories, self._tell)

    def told_of_sent_again(self) -> str:
        """How many rows were ignored behind a state that was taken up and were not told of, in words; else nothing."""
        return self._sent_again.told(self._clock)

    @property
    def memory(self) -> int:
        """Rows without a break that a score needs."""
        return self._detector.memory

    @property
    def detector(self) -> AbstractDetector:
        """That which scores the rows."""
        return self._detector

    @property
    def threshold(self) -> ThresholdConfig:
        """How the threshold moves, with the rows of a day where the times of the fit or the given step tell them."""
        return self._config

    def _rows_per_day(self) -> float | None:
        """Those of the fit, more or fewer where another step was given."""
        span, given = self._detector.span_, self._given_step
        if span is None:
            return None if given is None else rows_per_day_at(1000.0 * given)
        if given is None or span.rows_per_day is None:
            return span.rows_per_day
        return span.rows_per_day * span.step / (1000.0 * given) if given > 0 else None

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

    def _take(self, symbol: str, values: NDArray[np.float64], time: float | None, stamp: Any) -> str | None:
        """Put a row into its ring. Returns why it cannot be scored, or None."""
        detector = self._detector
        history = self._histories.setdefault(symbol, History(detector.memory, len(values)))
        may_be_known = self._sent_again.expects(symbol)
        if may_be_known:
            if self._sent_again.ignores(symbol, time, self._clock):
                self._take_back(symbol)
                return SENT_AGAIN
            self._sent_again.keep(symbol, history, self._thresholds.get(symbol))
        history.rows += 1
        doubtful = history.course.old_time is not None
        verdict = history.course.take(time, step=self.step_of(symbol), memory=detector.memory)
        if may_be_known and time is not None and history.course.old_time is None and not verdict.is_repeated:
            self._sent_again.went_past(symbol, self._clock)
        if verdict.is_repeated:
            return "ignored: not later than the row before"
        if verdict.goes_back and history.beside is not None:
            history.ring, history.beside = history.beside, None
            self._tell_of_dropped(symbol, history, verdict.dropped)
        for _ in range(verdict.dropped):
            self._bridge(history.ring)
        if verdict.ahead and (verdict.goes_back or not doubtful or history.beside is None):
            history.stamp, history.ahead = str(stamp)[:40], verdict.ahead
        late = bool(verdict.ahead) and (detector.config.breaks or verdict.ahead < 0)
        if verdict.ahead and history.course.old_time is not None and history.beside is None:
            history.beside = history.ring.copy()
        if history.course.old_time is None:
            history.beside = None
        ring = history.ring
        if late:
            ring.clear()
        if not np.isfinite(values).all():
            return "bad row: bridged" if self._bridge(ring) else "bad row: starts anew"
        ring.bad_run = 0
        ring.last = values
        ring.push(detector.scaling_(values))
        if ring.count < detector.memory:
            return f"warming up: {ring.count} of {detector.memory} rows" + (_after(verdict.ahead) if late else "")
        return None

    def _take_back(self, symbol: str) -> None:
        """Be as before rows that were taken for new behind a state, and turned out to be known like the one now."""
        before = self._sent_again.taken_back(symbol)
        if before is not None:
            self._histories[symbol], threshold = before
            if threshold is None:
                self._thresholds.pop(symbol, None)
            else:
                self._thresholds[symbol] = threshold
        self._histories[symbol].course.ignored = self._sent_again.late(symbol)

    def _bridge(self, ring: Ring) -> bool:
        """Put the last good row into a ring for a bad one, or start anew where there are too many; whether it could."""
        ring.bad_run += 1
        if ring.last is None or ring.bad_run > self._detector.config.bridge:
            ring.clear()
            return False
        ring.push(self._detector.scaling_(ring.last))
        return True

    def _tell_of_dropped(self, symbol: str, history: History, dropped: int) -> None:
        who = f" of {symbol!r}" if symbol else ""
        many = f" and the {dropped - 1} behind it are bad ones" if dropped > 1 else " is a bad one"
        self._tell(
            f"Row {history.rows - dropped}{who}{many}, its time {history.stamp!r} was wrong: it was "
            f"{_steps(history.ahead)} the row before, and row {history.rows} goes on from there."
        )

    def _values(self, row: Row) -> tuple[NDArray[np.float64], str]:
        """The channels' values, NaN where there is no number, and what was wrong with the row."""
        columns = self._detector.columns_
        nothing = np.full(len(columns), np.nan)
        if row is None:
            return nothing, "it is no row"
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
            self._thresholds[symbol] = self._detector.begun_threshold(self._config)
        return self._thresholds[symbol]


def _steps(ahead: float) -> str:
    return f"{abs(ahead):.3g} steps {'ahead of' if ahead > 0 else 'behind'}"


def _after(ahead: float) -> str:
    return f" after a gap: its time is {_steps(ahead).removesuffix(' of')}"


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
