"""How good classes of order books are: macro F1, weighted F1, MCC and accuracy, with intervals, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLASSES
from triptych.domain.errors import DataError
from triptych.training.intervals import (
    Interval,
    default_block_length,
    interval,
    label_span,
    resample_weights,
    widening,
)

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
    """

    samples: int
    independent: float
    counts: tuple[int, ...]
    metrics: Mapping[str, Mapping[str, Interval]]
    lift: Mapping[str, Mapping[str, Interval]]


def score_books(
    predicted: Mapping[str, NDArray[np.int64]],
    labels: NDArray[np.int64],
    time_ms: NDArray[np.int64],
    end_ms: NDArray[np.int64],
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> BookScores:
    """Score predictors against each other.

    Args:
        predicted: classes of each predictor, int64 of shape (n,); the first is the one that must prove itself.
        labels: true classes, int64 of shape (n,).
        time_ms, end_ms: when each sample was decided and its label known, int64 of shape (n,).
        level: of the intervals, which are a block bootstrap over time: blocks of four label spans.
        resamples, seed: of the bootstrap.

    Raises DataError for no samples or classes of another length.
    """
    if not len(labels) or any(len(one) != len(labels) for one in predicted.values()):
        raise DataError(f"Expected {len(labels)} predictions of each kind, and at least one.")
    names = list(predicted)
    values = {name: _metrics(one, labels, np.ones((len(labels), 1))) for name, one in predicted.items()}
    n_times, span = len(np.unique(time_ms)), label_span(time_ms, end_ms)
    block = default_block_length(n_times, span)
    drawn: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
    for weights in resample_weights(time_ms, block, resamples, seed):
        for name in names:
            drawn[name].append(_metrics(predicted[name], labels, weights))
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
    return BookScores(samples=len(labels), independent=n_times / span, counts=counts, metrics=metrics, lift=lift)


def _metrics(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values of METRICS in their order under each weighting, float64 of shape (4, n_weightings)."""
    k = len(CLASSES)
    cell = labels * k + predicted
    confusion = np.stack([weights[cell == i].sum(axis=0) for i in range(k * k)]).reshape(k, k, -1)
    hits, true, said = np.einsum("iij->ij", confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    total, right = true.sum(axis=0), hits.sum(axis=0)
    f1 = np.divide(2 * hits, true + said, out=np.zeros_like(hits), where=true + said > 0)
    present = (true + said > 0).sum(axis=0)
    covariance = right * total - (said * true).sum(axis=0)
    spread = (total**2 - (said**2).sum(axis=0)) * (total**2 - (true**2).sum(axis=0))
    root = np.sqrt(np.maximum(spread, 0.0))
    mcc = np.divide(covariance, root, out=np.zeros_like(covariance), where=root > 0)
    return np.stack([f1.sum(axis=0) / present, (f1 * true).sum(axis=0) / total, mcc, right / total])
