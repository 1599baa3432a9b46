"""How good classes of order books are: macro F1, weighted F1, MCC and accuracy, with intervals, side by side.

MCC is taken within each fold and each instrument and averaged by their rows (see `training.metrics`): who says "hold"
of one instrument and "buy" of the next, whatever their books hold, has told the instruments apart, and nothing else.
The other metrics are over all rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLASSES
from triptych.domain.errors import DataError
from triptych.training.comparison import only_said
from triptych.training.intervals import (
    Interval,
    default_block_length,
    interval,
    label_span,
    resample_weights,
    widening,
)
from triptych.training.metrics import ClassScorer

METRICS: Final = {"macro_f1": (0.0, 1.0), "weighted_f1": (0.0, 1.0), "mcc": (-1.0, 1.0), "accuracy": (0.0, 1.0)}
"""Names of the metrics with the least and greatest value of each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BookScores:
    """What came of several predictors on the same test rows.

    Attributes:
        samples: test rows.
        independent: rows that share no label: the samples over the span of a label.
        counts: test rows of each class.
        metrics: by predictor and metric.
        lift: metrics of the first predictor less those of each other one, from the same resamples.
        only: by predictor the class that it said for every row, or "hold or buy" where it said one of its own in each
            fold and instrument; empty where it said several in one of them. There is no skill in it, and MCC is 0.
    """

    samples: int
    independent: float
    counts: tuple[int, ...]
    metrics: Mapping[str, Mapping[str, Interval]]
    lift: Mapping[str, Mapping[str, Interval]]
    only: Mapping[str, str]


def score_books(
    predicted: Mapping[str, NDArray[np.int64]],
    labels: NDArray[np.int64],
    time_ms: NDArray[np.int64],
    end_ms: NDArray[np.int64],
    *,
    folds: NDArray[np.int64] | None = None,
    instruments: NDArray[np.int64] | None = None,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> BookScores:
    """Score predictors against each other.

    Args:
        predicted: classes of each predictor, int64 of shape (n,); the first is the one that must prove itself.
        labels: true classes, int64 of shape (n,).
        time_ms, end_ms: when each sample was decided and its label known, int64 of shape (n,).
        folds, instruments: number of the fold and of the instrument of each sample, int64 of shape (n,); None: all are
            of one.
        level: of the intervals, which are a block bootstrap over time: blocks of four label spans.
        resamples, seed: of the bootstrap.

    Raises DataError for no samples or classes of another length.
    """
    if not len(labels) or any(len(one) != len(labels) for one in predicted.values()):
        raise DataError(f"Expected {len(labels)} predictions of each kind, and at least one.")
    names = list(predicted)
    parts_of = [np.zeros(len(labels), dtype=np.int64) if one is None else one for one in (folds, instruments)]
    within = np.unique(np.stack(parts_of), axis=1, return_inverse=True)[1].reshape(-1)
    scorers = {name: ClassScorer(one, labels, within) for name, one in predicted.items()}
    values = {name: _stacked(scorer()) for name, scorer in scorers.items()}
    n_times, span = len(np.unique(time_ms)), label_span(time_ms, end_ms)
    block = default_block_length(n_times, span)
    drawn: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
    for weights in resample_weights(time_ms, block, resamples, seed):
        for name in names:
            drawn[name].append(_stacked(scorers[name](weights)))
    draws = {name: np.concatenate(parts, axis=1) for name, parts in drawn.items()}
    stretch = widening(n_times, block, span, level)
    metrics, lift = {}, {}
    for name in names:
        metrics[name] = {
            metric: interval(float(values[name][i, 0]), draws[name][i], level, limits, stretch)
            for i, (metric, limits) in enumerate(METRICS.items())
        }
    for other in names[1:]:
        lift[other] = {
            metric: interval(
                float(values[names[0]][i, 0] - values[other][i, 0]), draws[names[0]][i] - draws[other][i], level,
                (limits[0] - limits[1], limits[1] - limits[0]), stretch,
            )
            for i, (metric, limits) in enumerate(METRICS.items())
        }  # fmt: skip
    counts = tuple(int(one) for one in np.bincount(labels, minlength=len(CLASSES)))
    return BookScores(
        samples=len(labels), independent=n_times / span, counts=counts, metrics=metrics, lift=lift,
        only={name: only_said(one.tolist(), within.tolist()) for name, one in predicted.items()},
    )  # fmt: skip


def _stacked(found: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Values of METRICS in their order under each weighting, float64 of shape (4, n_weightings)."""
    return np.stack([found[metric] for metric in METRICS])
