"""Metrics taken within each fold and averaged: what differs from fold to fold is no skill.

A network that says mostly buy in one fold and mostly sell in the next shows a correlation over both together wherever
the classes are not equally frequent in them, without knowing anything within either.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLASSES
from triptych.training.metrics import Scorer


class FoldsApart:
    """A `Scorer` for each fold, and the means of their metrics by the weight of their samples."""

    def __init__(
        self, probabilities: NDArray[np.floating], labels: NDArray[np.integer], folds: NDArray[np.integer]
    ) -> None:
        """Prepare; `folds` says which fold each sample is of, int of shape (n_samples,). Raises as `Scorer` does."""
        self._places = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]
        self._scorers = [Scorer(probabilities[place], labels[place]) for place in self._places]
        self._samples = len(labels)

    def __call__(self, weights: NDArray[np.float64] | None = None) -> dict[str, NDArray[np.float64]]:
        """Every metric under each weighting; see `Scorer`. A fold without weight does not count."""
        if weights is None:
            weights = np.ones((self._samples, 1))
        parts = [weights[place] for place in self._places]
        shares = np.stack([part.sum(axis=0) for part in parts]) / weights.sum(axis=0)
        with np.errstate(invalid="ignore"):
            found = [scorer(part) for scorer, part in zip(self._scorers, parts, strict=True)]
            return {
                name: np.where(shares > 0, shares * np.stack([one[name] for one in found]), 0.0).sum(axis=0)
                for name in found[0]
            }

    def values(self) -> dict[str, float]:
        """Every metric on the samples as they are."""
        return {name: float(value[0]) for name, value in self().items()}


def only_said(classes: Iterable[int], folds: Iterable[int]) -> str:
    """The class that was said for every sample, or "buy or sell" where each fold has one of its own; else nothing.

    Args:
        classes: that were said, positions in `CLASSES`.
        folds: of each sample, in the same order.
    """
    by_fold: dict[int, set[int]] = {}
    for fold, said in zip(folds, classes, strict=True):
        by_fold.setdefault(fold, set()).add(said)
    if any(len(said) > 1 for said in by_fold.values()):
        return ""
    return " or ".join(dict.fromkeys(CLASSES[one] for said in by_fold.values() for one in said))
