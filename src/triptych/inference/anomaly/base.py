"""The interface of all anomaly detectors, with PyOD's conventions.

A detector is fitted on rows that are (mostly) normal. A part of them is held out: nothing is learnt from it but what
errors look like on rows the detector has not seen, and from that alone comes the threshold.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import ColumnError, DataError, NotEnoughData
from triptych.inference.anomaly.scaling import Scaling
from triptych.inference.anomaly.table import BadRows, Table, as_table, concatenate

_FEWEST_HELD_OUT = 50  # rows: below, a quantile of their scores is not worth its name
_CHUNK = 1024  # windows assessed at a time


class CommonConfig(BaseConfig):
    """What all detectors are asked."""

    contamination: float = Field(
        0.01, description="Share of normal rows that the threshold takes for anomalies.", gt=0, le=0.5
    )
    held_out: float = Field(0.2, description="Share of the rows that only calibrate.", gt=0, lt=1)
    held_out_blocks: int = Field(
        4, description="Blocks the held-out rows are spread over, so that they see all parts of the history.", ge=1
    )
    bound: float = Field(20.0, description="Greatest distance from a channel's mean, in deviations.", gt=0)
    bad_rows: BadRows = Field(
        "refuse",
        description="`refuse`: NaN and infinity are an error. `mask`: short runs repeat the row before, longer ones "
        "break the history; such rows get no score.",
    )
    bridge: int = Field(3, description="Bad rows in a run that are bridged.", ge=0)
    seed: int = Field(0, description="Seed of everything random.", ge=0)


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What a detector says of windows.

    Attributes:
        scores: float64 (n_windows,): how abnormal the last row of each window is, 0 or more.
        evidence: float64 (n_windows, channels, kinds): how far each channel is out, by kind, in deviations.
    """

    scores: NDArray[np.float64]
    evidence: NDArray[np.float64]


class AbstractDetector(ABC):
    """Fits on a table, then scores rows: the higher, the more abnormal. Attributes are there after `fit`, as in PyOD.

    Attributes:
        decision_scores_: scores of the training rows.
        threshold_: rows above are anomalies; a quantile of the held-out rows' scores.
        labels_: 0 or 1 for each training row.
        columns_: names of the channels.
    """

    name: str
    kinds: tuple[str, ...]
    config: CommonConfig
    decision_scores_: NDArray[np.float64]
    threshold_: float
    labels_: NDArray[np.int64]
    columns_: tuple[str, ...]
    scaling_: Scaling
    held_out_scores_: NDArray[np.float64]
    held_out_in_order_: NDArray[np.float64]

    @property
    @abstractmethod
    def memory(self) -> int:
        """Rows that a score looks back on, the scored one included."""

    @abstractmethod
    def _learn(self, learn: Sequence[NDArray[np.float32]], held_out: Sequence[NDArray[np.float32]]) -> None:
        """Learn from scaled stretches, each (n_rows, channels); calibrate on the held-out ones."""

    @abstractmethod
    def assess(self, windows: NDArray[np.float32]) -> Assessment:
        """Assess the last row of each window; `windows` are scaled, (n_windows, memory, channels)."""

    @property
    def contamination(self) -> float:
        """Share of normal rows that the threshold takes for anomalies."""
        return self.config.contamination

    def fit(self, X: Any, y: Any = None, *, entity: Any = None, time: Any = None) -> Self:
        """Learn what is normal.

        Args:
            X: see `as_table`.
            y: ignored, as in PyOD.
            entity, time: see `as_table`.

        Raises:
            NotEnoughData: fewer unbroken rows than a few windows.
            DataError: rows that are not numbers, constant channels.
        """
        table = self._table(X, entity, time)
        learn, held = hold_out(table, self.config, self.memory)
        self.columns_ = table.columns
        self.scaling_ = Scaling.of(
            concatenate([table.values[a:b] for a, b in learn], len(table.columns)),
            table.columns, bound=self.config.bound,
        )  # fmt: skip
        scaled = self.scaling_(table.values)
        held_stretches = [scaled[a:b] for a, b in held]
        self._learn([scaled[a:b] for a, b in learn], held_stretches)
        parts = [self._stretch_scores(stretch)[self.memory - 1 :] for stretch in held_stretches]
        self.held_out_in_order_ = np.concatenate(parts)
        self.held_out_scores_ = np.sort(self.held_out_in_order_)
        self.threshold_ = float(np.quantile(self.held_out_scores_, 1.0 - self.config.contamination))
        self.decision_scores_ = self._scores(table, scaled)
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(np.int64)
        return self

    def decision_function(self, X: Any, *, entity: Any = None, time: Any = None) -> NDArray[np.float64]:
        """Scores of the rows, float64 (n_rows,); 0 where a stretch has not yet `memory` rows, and for bad rows.

        Raises ColumnError when the columns are not those of `fit`.
        """
        table = self.checked(X, entity=entity, time=time)
        return self._scores(table, self.scaling_(table.values))

    def predict(self, X: Any, *, entity: Any = None, time: Any = None) -> NDArray[np.int64]:
        """1 for anomalies, 0 for the rest, (n_rows,)."""
        return (self.decision_function(X, entity=entity, time=time) > self.threshold_).astype(np.int64)

    def predict_proba(self, X: Any, *, entity: Any = None, time: Any = None) -> NDArray[np.float64]:
        """Share of held-out normal rows that score above and below, float64 (n_rows, 2): normal, abnormal."""
        abnormal = 1.0 - self.p_values(self.decision_function(X, entity=entity, time=time))
        return np.column_stack([1.0 - abnormal, abnormal])

    def p_values(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Conformal p-values: (1 + held-out rows that score at least as much) / (1 + held-out rows)."""
        n = len(self.held_out_scores_)
        above = n - np.searchsorted(self.held_out_scores_, scores, side="left")
        return np.asarray((1.0 + above) / (1.0 + n), dtype=np.float64)

    def score_frame(self, X: Any, *, entity: Any = None, time: Any = None, reasons: int = 3) -> pl.DataFrame:
        """A frame aligned with the rows: index, `score`, `threshold`, `alarm`, `bad`, `reasons`."""
        table = self.checked(X, entity=entity, time=time)
        scores, texts = self.explained(table, reasons=reasons)
        return pl.DataFrame(
            [
                table.index,
                pl.Series("score", scores),
                pl.Series("threshold", np.full(len(table), self.threshold_)),
                pl.Series("alarm", scores > self.threshold_),
                pl.Series("bad", table.bad),
                pl.Series("reasons", texts),
            ]
        )

    def explained(self, table: Table, *, reasons: int = 3) -> tuple[NDArray[np.float64], list[str]]:
        """Scores of the rows, and for each row above the threshold the channels and kinds that are farthest out."""
        scaled = self.scaling_(table.values)
        scores = self._scores(table, scaled)
        texts = [""] * len(table)
        rows = [
            row
            for start, stop in table.stretches
            for row in range(start + self.memory - 1, stop)
            if scores[row] > self.threshold_
        ]
        for begin in range(0, len(rows), _CHUNK):
            chunk = rows[begin : begin + _CHUNK]
            windows = scaled[np.asarray(chunk)[:, None] + np.arange(1 - self.memory, 1)]
            for row, evidence in zip(chunk, self.assess(windows).evidence, strict=True):
                texts[row] = self.reasons_of(evidence, most=reasons)
        return scores, texts

    def reasons_of(self, evidence: NDArray[np.float64], *, most: int = 3) -> str:
        """The `most` channels and kinds that are farthest out, such as "price: level 4.1; volume: activity 3.0".

        `evidence` is (channels, kinds).
        """
        order = np.argsort(evidence, axis=None)[::-1][:most]
        places = [np.unravel_index(int(i), evidence.shape) for i in order]
        return "; ".join(f"{self.columns_[c]}: {self.kinds[k]} {evidence[c, k]:.1f}" for c, k in places)

    def checked(self, X: Any, *, entity: Any = None, time: Any = None) -> Table:
        """The rows as a table with the columns of `fit`.

        Raises ColumnError for other columns, DataError before `fit`, NotEnoughData where no row has enough before it.
        """
        if not hasattr(self, "columns_"):
            raise DataError(f"The detector {self.name!r} has not been fitted.", remedy="Call fit(X) first.")
        table = self._table(X, entity, time)
        if table.columns != self.columns_:
            raise ColumnError(
                f"The detector was fitted on the columns {', '.join(self.columns_)}; these rows have "
                f"{', '.join(table.columns)}.",
                remedy="Bring the same columns in the same order.",
            )
        longest = max((stop - start for start, stop in table.stretches), default=0)
        if longest < self.memory:
            raise NotEnoughData(
                f"{len(table)} rows, {longest} of them without a break, cannot be scored by a detector that looks back "
                f"on {self.memory}.",
                remedy=f"Bring at least {self.memory} unbroken rows: those before the first that shall be scored too.",
            )
        return table

    def _table(self, X: Any, entity: Any, time: Any) -> Table:
        return as_table(X, entity=entity, time=time, bad_rows=self.config.bad_rows, bridge=self.config.bridge)

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


def sliding(stretch: NDArray[np.float32], memory: int) -> list[tuple[int, NDArray[np.float32]]]:
    """All windows in chunks: the row in which the first of the chunk ends, and windows (n, memory, channels)."""
    if len(stretch) < memory:
        return []
    view = np.lib.stride_tricks.sliding_window_view(stretch, memory, axis=0).transpose(0, 2, 1)
    return [(memory - 1 + begin, view[begin : begin + _CHUNK]) for begin in range(0, len(view), _CHUNK)]


def hold_out(table: Table, config: CommonConfig, memory: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Stretches to learn from and stretches to calibrate on, both as first and last + 1 row.

    The longest stretches are cut into blocks; the end of each block is held out. No window lies in both parts.
    Raises NotEnoughData when one of them has no room for windows.
    """
    longest = max((stop - start for start, stop in table.stretches), default=0)
    least = memory + max(memory // 2, 8)  # of a held-out part: some windows that differ
    blocks = max(1, min(config.held_out_blocks, int(longest * config.held_out) // least))
    learn, held = [], []
    for start, stop in table.stretches:
        share = max(1, round(blocks * (stop - start) / max(longest, 1)))
        edges = np.linspace(start, stop, share + 1).astype(int).tolist()
        for begin, end in pairwise(edges):
            cut = end - max(int((end - begin) * config.held_out), least)
            if cut - begin >= least:
                learn.append((begin, cut))
                held.append((cut, end))
            else:
                learn.append((begin, end))
    calibrating = sum(stop - start - memory + 1 for start, stop in held)
    if calibrating < min(_FEWEST_HELD_OUT, least):
        raise NotEnoughData(
            f"{len(table)} rows, {longest} of them without a break, are too few for a detector that looks back on "
            f"{memory}.",
            remedy=f"Bring at least {5 * least} unbroken rows, or choose a shorter window.",
        )
    return learn, held
