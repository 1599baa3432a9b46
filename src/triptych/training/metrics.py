"""How good class probabilities are: eight metrics, on the samples or on any number of weightings of them at once.

A bootstrap resample is a weighting: how often each sample was drawn. So one definition serves values and intervals
alike.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLASSES
from triptych.domain.errors import DataError

RANGES: Final[dict[str, tuple[float, float]]] = {
    "accuracy": (0.0, 1.0),
    "macro_precision": (0.0, 1.0),
    "macro_recall": (0.0, 1.0),
    "macro_f1": (0.0, 1.0),
    "mcc": (-1.0, 1.0),
    "roc_auc": (0.0, 1.0),
    "brier": (0.0, 2.0),
    "calibration_error": (0.0, 1.0),
}
"""Names of the metrics and the least and greatest value each can take. Higher is better but for the last two."""

BINS: Final = 15
"""Bins of the calibration error: equal widths on (0, 1], as in Guo et al. 2017."""


class ClassScorer:
    """Metrics of classes that were said.

    - accuracy, macro precision, recall and F1 (over the classes that occur among labels or predictions; a precision
      or recall without a denominator counts as 0), and F1 weighted by how often each class is the true one;
    - mcc: the Matthews correlation (Gorodkin 2004; 0 without a denominator), taken within each fold and averaged by the
      weight of their samples, because who says mostly buy in one fold and mostly sell in the next shows a correlation
      over both wherever the classes are not equally frequent in them, without knowing anything within either.
    """

    def __init__(
        self, said: NDArray[np.integer], labels: NDArray[np.integer], folds: NDArray[np.integer] | None = None
    ) -> None:
        """Prepare.

        Args:
            said, labels: int arrays of shape (n_samples,), classes 0, 1, 2: what was said, and what was true.
            folds: int array of shape (n_samples,), the fold of each; None: all are of one.
        """
        n, k = len(labels), len(CLASSES)
        numbers = np.zeros(n, dtype=np.int64) if folds is None else np.unique(folds, return_inverse=True)[1]
        self._n, self._n_folds = n, int(numbers.max()) + 1
        cell = (numbers * k + np.asarray(labels, dtype=np.int64)) * k + np.asarray(said, dtype=np.int64)
        self._by_cell = _GroupSum(cell, np.ones(n), self._n_folds * k * k)

    def __call__(self, weights: NDArray[np.float64] | None = None) -> dict[str, NDArray[np.float64]]:
        """Every metric under each weighting; arguments and result as for `Scorer`."""
        if weights is None:
            weights = np.ones((self._n, 1))
        by_fold = self._confusions(weights)
        return {**_from_confusion(by_fold.sum(axis=0)), "mcc": _within_folds(by_fold)}

    def mcc(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """MCC alone under each weighting, as a call gives it: the others take ten times as long."""
        return _within_folds(self._confusions(weights))

    def _confusions(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted counts by fold, true and predicted class: shape (n_folds, 3, 3, n_weightings)."""
        k = len(CLASSES)
        return self._by_cell(weights).reshape(self._n_folds, k, k, -1)


class Scorer:
    """Metrics of one set of predictions.

    - those of `ClassScorer` but for the weighted F1 judge the likeliest class;
    - roc_auc: the mean over classes of the area under one-against-the-rest, ties counted half; a class that is
      missing among the labels, or is the only one, has no area and is left out; NaN when none has;
    - brier: the mean of sum_k (p_k - y_k)^2 over the three classes, from 0 to 2;
    - calibration_error: the mean distance between confidence (largest probability) and accuracy over the `BINS` bins of
      confidence, weighted by the samples in each (Guo et al. 2017, expected calibration error).
    """

    def __init__(
        self,
        probabilities: NDArray[np.floating],
        labels: NDArray[np.integer],
        folds: NDArray[np.integer] | None = None,
    ) -> None:
        """Prepare.

        Args:
            probabilities: array of shape (n_samples, 3), rows sum to 1.
            labels: int array of shape (n_samples,), classes 0, 1, 2.
            folds: int array of shape (n_samples,), the fold of each; None: all are of one.

        Raises DataError for no samples, other shapes, NaN, rows that do not sum to 1, unknown classes.
        """
        p = np.asarray(probabilities, dtype=np.float64)
        y = np.asarray(labels, dtype=np.int64)
        _check(p, y)
        k = p.shape[1]
        predicted = p.argmax(axis=1)
        hit = predicted == y
        confidence = p.max(axis=1)
        self._confusion = np.bincount(y * k + predicted, minlength=k * k).reshape(k, k)
        self._of_classes = ClassScorer(predicted, y, folds)
        self._squared = ((p - np.eye(k)[y]) ** 2).sum(axis=1)
        self._by_bin = _GroupSum(confidence_bin(confidence), hit - confidence, BINS)
        self._ranks = [_ranks(p[:, c], y == c) for c in range(k)]

    def __call__(self, weights: NDArray[np.float64] | None = None) -> dict[str, NDArray[np.float64]]:
        """Every metric under each weighting.

        Args:
            weights: float64 array of shape (n_samples, n_weightings), not negative; None weighs every sample once.

        Returns:
            One float64 array of shape (n_weightings,) per metric.
        """
        if weights is None:
            weights = np.ones((len(self._squared), 1))
        total = weights.sum(axis=0)
        return {
            **{name: values for name, values in self._of_classes(weights).items() if name in RANGES},
            "roc_auc": self._roc_auc(weights),
            "brier": (self._squared[:, None] * weights).sum(axis=0) / total,
            "calibration_error": np.abs(self._by_bin(weights)).sum(axis=0) / total,
        }

    def mcc(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """MCC alone under each weighting, as a call gives it: the others take ten times as long."""
        return self._of_classes.mcc(weights)

    def values(self) -> dict[str, float]:
        """Every metric on the samples as they are; NaN where it is not defined."""
        return {name: float(value[0]) for name, value in self().items()}

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Counts of shape (3, 3): rows are the true classes, columns the predicted ones."""
        return self._confusion.copy()

    def _roc_auc(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        areas = []
        for order, positive, first, last in self._ranks:
            sorted_weights = weights[order]
            negatives = np.where(positive[:, None], 0.0, sorted_weights)
            below = np.concatenate((np.zeros((1, weights.shape[1])), np.cumsum(negatives, axis=0)))
            drawn = sorted_weights[positive]
            beaten = (0.5 * drawn * (below[first] + below[last])).sum(axis=0)
            pairs = drawn.sum(axis=0) * below[-1]
            areas.append(np.divide(beaten, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))
        stacked = np.stack(areas)
        known = np.isfinite(stacked)
        count = known.sum(axis=0)
        total = np.where(known, stacked, 0.0).sum(axis=0)
        mean: NDArray[np.float64] = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
        return mean


class _GroupSum:
    """Weighted sums of a value over groups of samples.

    Not written as a matrix product: a threaded one takes ten times as long on a busy machine, and its last bits depend
    on the number of threads.
    """

    def __init__(self, group: NDArray[np.int64], value: NDArray[np.float64], n_groups: int) -> None:
        self._order = np.argsort(group, kind="stable")
        self._value = value[self._order][:, None]
        self._present, self._first = np.unique(group[self._order], return_index=True)
        self._n_groups = n_groups

    def __call__(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums of shape (n_groups, n_weightings)."""
        sums = np.zeros((self._n_groups, weights.shape[1]))
        sums[self._present] = np.add.reduceat(weights[self._order] * self._value, self._first, axis=0)
        return sums


def confidence_bin(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of each confidence: bin b holds (b / BINS, (b + 1) / BINS]."""
    bins: NDArray[np.int64] = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return bins


def calibration_bins(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer]
) -> list[dict[str, float | int | None]]:
    """Per bin its limits, number of samples, mean confidence and accuracy (both None in an empty bin)."""
    p = np.asarray(probabilities, dtype=np.float64)
    confidence, hit = p.max(axis=1), p.argmax(axis=1) == labels
    member = confidence_bin(confidence)
    rows: list[dict[str, float | int | None]] = []
    for b in range(BINS):
        inside = member == b
        count = int(inside.sum())
        rows.append(
            {
                "low": b / BINS,
                "high": (b + 1) / BINS,
                "count": count,
                "confidence": float(confidence[inside].mean()) if count else None,
                "accuracy": float(hit[inside].mean()) if count else None,
            }
        )
    return rows


def matthews_correlation(labels: NDArray[np.integer], said: NDArray[np.integer]) -> float:
    """The Matthews correlation of said classes with true ones, 0 where either is always the same.

    Args:
        labels, said: classes 0 to 2, shape (n_samples,).
    """
    counts = np.bincount(3 * labels.astype(np.int64) + said.astype(np.int64), minlength=9).reshape(3, 3, 1)
    return float(_matthews(counts.astype(np.float64))[0])


def _from_confusion(confusion: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Metrics of the likeliest class from weighted counts of shape (3, 3, n_weightings)."""
    hits = np.einsum("iij->ij", confusion)
    true, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    count = ((true + predicted) > 0).sum(axis=0)
    f1 = _ratio(2 * hits, true + predicted)
    return {
        "accuracy": hits.sum(axis=0) / true.sum(axis=0),
        "macro_precision": _ratio(hits, predicted).sum(axis=0) / count,
        "macro_recall": _ratio(hits, true).sum(axis=0) / count,
        "macro_f1": f1.sum(axis=0) / count,
        "weighted_f1": (f1 * true).sum(axis=0) / true.sum(axis=0),
    }


def _within_folds(by_fold: NDArray[np.float64]) -> NDArray[np.float64]:
    """MCC within each fold, averaged by their samples, from weighted counts of shape (n_folds, 3, 3, n_weightings)."""
    shares = by_fold.sum(axis=(1, 2)) / by_fold.sum(axis=(0, 1, 2))
    mean: NDArray[np.float64] = (shares * np.stack([_matthews(one) for one in by_fold])).sum(axis=0)
    return mean


def _matthews(confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    """MCC from weighted counts of shape (3, 3, n_weightings)."""
    true, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    total = true.sum(axis=0)
    spread = (total**2 - (predicted**2).sum(axis=0)) * (total**2 - (true**2).sum(axis=0))
    covariance = np.einsum("iij->j", confusion) * total - (predicted * true).sum(axis=0)
    return _ratio(covariance, np.sqrt(np.maximum(spread, 0.0)))


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quotient, 0 where there is nothing to divide by."""
    quotient: NDArray[np.float64] = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return quotient


def _ranks(
    score: NDArray[np.float64], positive: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Order by score; which of the ordered are positive; first and one past the last tie of each positive."""
    order = np.argsort(score, kind="stable")
    ordered, mark = score[order], positive[order]
    first = np.searchsorted(ordered, ordered[mark], side="left")
    last = np.searchsorted(ordered, ordered[mark], side="right")
    return order, mark, first, last


def _check(p: NDArray[np.float64], y: NDArray[np.int64]) -> None:
    if p.ndim != 2 or p.shape[1] != len(CLASSES) or y.shape != (len(p),) or not len(p):
        raise DataError(f"Expected probabilities of shape (n, 3) and n labels, were {p.shape} and {y.shape}.")
    if y.min() < 0 or y.max() >= len(CLASSES):
        raise DataError(f"Labels must be 0, 1 or 2, found {int(y.min())} to {int(y.max())}.")
    bad = np.flatnonzero(~np.isfinite(p).all(axis=1) | (p < 0).any(axis=1) | (np.abs(p.sum(axis=1) - 1) > 1e-3))
    if bad.size:
        row = int(bad[0])
        raise DataError(f"Row {row} is not a probability distribution: {p[row].tolist()}.")
