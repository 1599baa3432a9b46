"""The interface of all anomaly detectors, with PyOD's conventions.

A detector is fitted on rows that are (mostly) normal. Parts of them are held out (see `holding_out`): one stops the
training, one tells what errors look like on rows the detector has not seen, and from one that decides nothing else
comes the threshold.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from triptych.domain.errors import ColumnError, DataError, NotEnoughData
from triptych.inference.anomaly.answering import because_of_gaps, frame_of, moving_limits
from triptych.inference.anomaly.clocks import refuse_clocks
from triptych.inference.anomaly.common_config import CommonConfig
from triptych.inference.anomaly.holding_out import (
    Part,
    Portions,
    conformal_threshold,
    effective_number,
    hold_out,
)
from triptych.inference.anomaly.parameters import AbstractParameters
from triptych.inference.anomaly.reach import SURE, reach
from triptych.inference.anomaly.scaling import Scaling
from triptych.inference.anomaly.sliding import CHUNK, sliding
from triptych.inference.anomaly.steps import as_fitted, each_its_own, one_for_all
from triptych.inference.anomaly.table import Table, as_table, concatenate
from triptych.inference.anomaly.thresholds import AbstractThreshold, create_threshold
from triptych.inference.anomaly.thresholds import Config as ThresholdConfig
from triptych.inference.anomaly.times import Span


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What a detector says of windows.

    Attributes:
        scores: float64 (n_windows,): how abnormal the last row of each window is, 0 or more.
        evidence: float64 (n_windows, channels, kinds): how far each channel is out, by kind, in deviations.
    """

    scores: NDArray[np.float64]
    evidence: NDArray[np.float64]


class AbstractDetector(AbstractParameters, ABC):
    """Fits on a table, then scores rows: the higher, the more abnormal. Attributes are there after `fit`, as in PyOD.

    Attributes:
        decision_scores_: scores of the training rows.
        threshold_: rows above are anomalies; set by rows that decided nothing else.
        labels_: 0 or 1 for each training row.
        columns_: names of the channels.
        learnt_scores_: scores of the rows that were learnt from, ascending.
        reach_: what gross rows are sure to score (see `reach`); infinite where nobody asked.
        span_: when the training rows were, and their usual step; None where they had no times.
        time_, entity_: names of the columns of times and entities of the training rows; frames that have them too are
            read by them unasked.
        watch_: how `triptych anomaly run` watched; None for any other fit.
    """

    name: str
    kinds: tuple[str, ...]
    parts: tuple[Part, ...] = ("threshold",)
    config: CommonConfig
    decision_scores_: NDArray[np.float64]
    threshold_: float
    labels_: NDArray[np.int64]
    columns_: tuple[str, ...]
    scaling_: Scaling
    held_out_scores_: NDArray[np.float64]
    held_out_in_order_: NDArray[np.float64]
    effective_: float
    learnt_scores_: NDArray[np.float64]
    reach_: float = math.inf
    span_: Span | None = None
    time_: str | None = None
    entity_: str | None = None
    watch_: ThresholdConfig | None = None

    @property
    @abstractmethod
    def memory(self) -> int:
        """Rows that a score looks back on, the scored one included."""

    @abstractmethod
    def learn(self, rows: Portions) -> None:
        """Learn from scaled rows whose columns are `columns_`: the part of `fit` that is each detector's own."""

    @abstractmethod
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `learn` has learnt, by name, for saving."""

    @abstractmethod
    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Know what `arrays` gave; `columns_` is there already. Raises KeyError when one is missing."""

    @property
    def parameters(self) -> int:
        """How many numbers were learnt."""
        return sum(value.size for value in self.arrays().values())

    @abstractmethod
    def assess(self, windows: NDArray[np.float32]) -> Assessment:
        """Assess the last row of each window; `windows` are scaled, (n_windows, memory, channels)."""

    def follow(
        self, windows: NDArray[np.float32], before: Sequence[object | None]
    ) -> tuple[Assessment, Sequence[object | None]]:
        """`assess` of the windows of streams, and what helps with the same streams one row later.

        `before` holds for each window what this method gave for the window one row earlier, or None. A detector that
        keeps nothing gives None; what another keeps changes how long this takes, and no figure.
        """
        return self.assess(windows), [None] * len(windows)

    @property
    def contamination(self) -> float:
        """Share of normal rows that the threshold takes for anomalies; setting it moves the threshold.

        Raises RecipeError for a share that is not above 0 and at most a half.
        """
        return self.config.contamination

    @contamination.setter
    def contamination(self, share: float) -> None:
        self.set_params(contamination=share)
        if hasattr(self, "held_out_scores_"):
            self.threshold_ = self.threshold_at(share)
            self.labels_ = (self.decision_scores_ > self.threshold_).astype(np.int64)

    def fit_predict(self, X: Any, y: Any = None, *, entity: Any = None, time: Any = None) -> NDArray[np.int64]:
        """`fit`, then the labels of the training rows: 1 for anomalies, (n_rows,)."""
        return self.fit(X, y, entity=entity, time=time).labels_

    def fit(
        self, X: Any, y: Any = None, *, entity: Any = None, time: Any = None, leave_out: NDArray[np.bool_] | None = None
    ) -> Self:
        """Learn what is normal.

        Args:
            X: see `as_table`.
            y: ignored, as in PyOD.
            entity, time: see `as_table`.
            leave_out: bool (n_rows,): rows not to learn from, such as known anomalies; they break the history.

        Raises:
            NotEnoughData: fewer unbroken rows than a few windows.
            DataError: rows that are not numbers, constant channels, entities of another step than most.
            ColumnError: a channel that is a clock or a number of rows (see `refuse_clocks`).

        Warns where the threshold would have lain above any score that can be reached.
        """
        self.time_, self.entity_ = (one if isinstance(one, str) else None for one in (time, entity))
        config = self.config
        usual = each_its_own if config.steps == "any" else one_for_all
        table = self._table(X, entity, time, leave_out, usual=usual)
        refuse_clocks(table, config.counters)
        try:
            held = hold_out(
                table.stretches, share=config.held_out, blocks=config.held_out_blocks, memory=self.memory,
                contamination=config.contamination, parts=self.parts,
            )  # fmt: skip
        except NotEnoughData as error:
            raise because_of_gaps(error, table) from None
        self.columns_ = table.columns
        self.time_ = table.time_column
        self.span_ = Span.of(table)
        self.scaling_ = Scaling.of(
            concatenate([table.values[a:b] for a, b in held.learn], len(table.columns)), table.columns,
            bound=config.bound,
        )  # fmt: skip
        scaled = self.scaling_(table.values)
        parts = {part: [scaled[a:b] for a, b in stretches] for part, stretches in held.parts.items()}
        self.learn(
            Portions(
                learn=[scaled[a:b] for a, b in held.learn], stop=parts.get("stop", []),
                calibrate=parts.get("calibrate", []),
            )
        )  # fmt: skip
        self._judge_by([self._stretch_scores(one)[self.memory - 1 :] for one in parts["threshold"]])
        self.decision_scores_ = self._scores(table, scaled)
        learnt = [self.decision_scores_[start + self.memory - 1 : stop] for start, stop in held.learn]
        self.learnt_scores_ = np.sort(np.concatenate(learnt))
        self.reach_ = reach(
            lambda windows: self.assess(windows).scores, parts["threshold"], memory=self.memory, bound=config.bound,
            learnt=self.learnt_scores_,
        )  # fmt: skip
        self.threshold_ = self.threshold_at(config.contamination)
        self._tell_of_a_threshold_out_of_reach()
        self.decision_scores_ = table.as_came(self.decision_scores_)
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(np.int64)
        return self

    def _judge_by(self, scores: Sequence[NDArray[np.float64]]) -> None:
        """Take in the scores of the rows that set the threshold, by stretch."""
        self.held_out_in_order_ = np.concatenate(scores)
        self.held_out_scores_ = np.sort(self.held_out_in_order_)
        self.effective_ = effective_number(scores, self.memory)

    def threshold_at(self, share: float) -> float:
        """The threshold that at most `share` of fresh normal rows exceed on average (see `conformal_threshold`).

        It stays below what gross rows are sure to score, though more rows exceed it then.
        """
        return min(self._wanted_threshold(share), SURE * self.reach_)

    def begun_threshold(self, config: ThresholdConfig) -> AbstractThreshold:
        """A threshold that moves as `config` says and has seen the rows that set the detector's own, no others.

        Streams, tables and studies all begin with it. Raises RecipeError as `create_threshold` does.
        """
        config = config.among(self.rows_per_day)
        return create_threshold(config, self.threshold_, self.held_out_in_order_, highest=SURE * self.reach_)

    @property
    def rows_per_day(self) -> float | None:
        """Rows of a day, by the times of the fit (see `Span`); None where they do not tell."""
        return None if self.span_ is None else self.span_.rows_per_day

    def _wanted_threshold(self, share: float) -> float:
        return conformal_threshold(self.held_out_scores_, share, self.effective_, learnt=self.learnt_scores_)

    def _tell_of_a_threshold_out_of_reach(self) -> None:
        share = self.config.contamination
        wanted = self._wanted_threshold(share)
        if wanted <= self.threshold_:
            return
        above = float((self.held_out_scores_ > self.threshold_).mean())
        if above == 0.0:  # it was so high because the rows are few: the lower one costs no alarm
            return
        warnings.warn(
            f"For {share:.3g} of the normal rows to alarm the threshold would be {wanted:.3g}, but not even the "
            f"grossest rows are sure to score more than {self.reach_:.3g}. It is set to {self.threshold_:.3g}, which "
            f"{above:.3g} of the rows that set it exceed: they are wilder than those that were learnt from. Fit on "
            "more rows, or on rows of one kind.",
            stacklevel=3,
        )

    def scored_rows(self, table: Table) -> NDArray[np.bool_]:
        """Which rows have a score, bool (n_rows,): not the first `memory` - 1 of each stretch, and not bad rows."""
        known = np.zeros(len(table), dtype=bool)
        for start, stop in table.stretches:
            known[min(start + self.memory - 1, stop) : stop] = True
        return known & ~table.bad

    def decision_function(self, X: Any, *, entity: Any = None, time: Any = None) -> NDArray[np.float64]:
        """Scores of the rows, float64 (n_rows,); 0 for rows without one (see `scored_rows`).

        Raises what `checked` does.
        """
        table = self.checked(X, entity=entity, time=time)
        return table.as_came(self._scores(table, self.scaling_(table.values)))

    def predict(self, X: Any, *, entity: Any = None, time: Any = None) -> NDArray[np.int64]:
        """1 for anomalies, 0 for the rest, (n_rows,)."""
        return (self.decision_function(X, entity=entity, time=time) > self.threshold_).astype(np.int64)

    def predict_proba(self, X: Any, *, entity: Any = None, time: Any = None) -> NDArray[np.float64]:
        """One minus and the confidence that a row is abnormal, float64 (n_rows, 2): 1 - its conformal p-value."""
        abnormal = 1.0 - self.p_values(self.decision_function(X, entity=entity, time=time))
        return np.column_stack([1.0 - abnormal, abnormal])

    def p_values(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Conformal p-values: (1 + rows that set the threshold and score at least as much) / (1 + all of them)."""
        n = len(self.held_out_scores_)
        above = n - np.searchsorted(self.held_out_scores_, scores, side="left")
        return np.asarray((1.0 + above) / (1.0 + n), dtype=np.float64)

    def score_frame(
        self,
        X: Any,
        *,
        entity: Any = None,
        time: Any = None,
        reasons: int = 3,
        threshold: ThresholdConfig | None = None,
    ) -> Any:
        """A frame aligned with the rows, pandas if they came so (with their index), else polars with a column of names:

        the column of entities where there is one, `score` (none for rows without one, see `scored_rows`), `threshold`,
        `alarm`, `bad`, `reasons`. `threshold` is how the threshold moves, see `judged`."""
        table = self.checked(X, entity=entity, time=time)
        scores, limits, texts = self.judged(table, threshold, reasons=reasons)
        return frame_of(table, scores, limits, texts, self.scored_rows(table))

    def judged(
        self, table: Table, threshold: ThresholdConfig | None = None, *, reasons: int = 3
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
        """Scores of a table's rows, in its order, what each had to exceed, and of those that did the channels and kinds
        farthest out.

        The threshold is the detector's own, or moves as `threshold` says, for each entity by itself as in a stream.
        """
        scaled = self.scaling_(table.values)
        scores = self._scores(table, scaled)
        limits = np.full(len(table), self.threshold_)
        if threshold is not None and threshold.method != "fixed":
            limits = moving_limits(table, scores, self.scored_rows(table), partial(self.begun_threshold, threshold))
        texts = [""] * len(table)
        rows = [
            row
            for start, stop in table.stretches
            for row in range(start + self.memory - 1, stop)
            if scores[row] > limits[row]
        ]
        for begin in range(0, len(rows), CHUNK):
            chunk = rows[begin : begin + CHUNK]
            windows = scaled[np.asarray(chunk)[:, None] + np.arange(1 - self.memory, 1)]
            for row, evidence in zip(chunk, self.assess(windows).evidence, strict=True):
                texts[row] = self.reasons_of(evidence, most=reasons)
        return scores, limits, texts

    def reasons_of(self, evidence: NDArray[np.float64], *, most: int = 3) -> str:
        """The `most` channels and kinds that are farthest out, such as "price: level 4.1; volume: activity 3.0".

        `evidence` is (channels, kinds).
        """
        order = np.argsort(evidence, axis=None)[::-1][:most]
        places = [np.unravel_index(int(i), evidence.shape) for i in order]
        return "; ".join(f"{self.columns_[c]}: {self.kinds[k]} {evidence[c, k]:.1f}" for c, k in places)

    def checked(self, X: Any, *, entity: Any = None, time: Any = None) -> Table:
        """The rows as a table with the columns of `fit`; those of a frame are found by name.

        Raises ColumnError for other columns, DataError before `fit` and for rows of another step than those of `fit`,
        NotEnoughData where no row has enough before it.
        """
        if not hasattr(self, "columns_"):
            raise DataError(f"The detector {self.name!r} has not been fitted.", remedy="Call fit(X) first.")
        usual = each_its_own
        if self.span_ is not None:
            usual = partial(as_fitted, fit=self.span_, any_step=self.config.steps == "any")
        table = self._table(X, entity, time, columns=self.columns_, usual=usual)
        if table.columns != self.columns_:
            raise ColumnError(
                f"The detector was fitted on the columns {', '.join(self.columns_)}; these rows have "
                f"{', '.join(table.columns)}.",
                remedy="Bring the same columns in the same order.",
            )
        longest = max((stop - start for start, stop in table.stretches), default=0)
        if longest < self.memory:
            short = NotEnoughData(
                f"{len(table)} rows, {longest} of them without a break, cannot be scored by a detector that looks back "
                f"on {self.memory}.",
                remedy=f"Bring at least {self.memory} unbroken rows: those before the first that shall be scored too.",
            )
            raise because_of_gaps(short, table)
        return table

    def _table(
        self, X: Any, entity: Any, time: Any, leave_out: NDArray[np.bool_] | None = None, **reading: Any
    ) -> Table:
        names = [str(name) for name in getattr(X, "columns", ())]
        entity = self.entity_ if entity is None and self.entity_ in names else entity
        time = self.time_ if time is None and self.time_ in names else time
        config = self.config
        return as_table(
            X, entity=entity, time=time, bad_rows=config.bad_rows, bridge=config.bridge, breaks=config.breaks,
            leave_out=leave_out, **reading,
        )  # fmt: skip

    def _scores(self, table: Table, scaled: NDArray[np.float32]) -> NDArray[np.float64]:
        scores = np.zeros(len(table))
        for start, stop in table.stretches:
            scores[start:stop] = self._stretch_scores(scaled[start:stop])
        scores[table.bad] = 0.0
        return scores

    def _stretch_scores(self, stretch: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores of the rows of one unbroken stretch; 0 for the first `memory` - 1."""
        scores = np.zeros(len(stretch))
        for first, windows in sliding(stretch, self.memory):
            scores[first : first + len(windows)] = self.assess(windows).scores
        return scores


def named(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """Those whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
