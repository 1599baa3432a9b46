"""Densities of the states of a hidden Markov model whose states are known where it learns: mixtures of Gaussians.

Of each state one Gaussian, or two where it has been seen often enough, with full covariances (Rabiner 1989, section
IV.A: continuous observation densities). Two, because a state that is cut out by a rule ends at the rule's bound, on one
side as steeply as it pleases.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PARTS: Final = 2
"""Gaussians of a state, at most."""
LEAST_SPREAD: Final = 0.01
"""Added to the variances of standardised observations, so that no Gaussian sits on a few of them."""


@dataclass(frozen=True, kw_only=True)
class StateMixtures:
    """Fitted densities.

    Attributes:
        weight: of each Gaussian, shape (states, parts), rows summing to 1; 0 for those that a state does without.
        mean: shape (states, parts, columns).
        covariance: shape (states, parts, columns, columns).
    """

    weight: Array
    mean: Array
    covariance: Array

    @classmethod
    def fit(cls, x: Array, states: NDArray[np.int64], anchors: Array, prior_rows: int, rows_of_a_part: int) -> Self:
        """Fit on standardised observations whose states are known; the same result for the same observations.

        Args:
            x: shape (n, columns), finite.
            states: of each observation, shape (n,); -1: not known, passed over.
            anchors: where each state would be if it were never seen, shape (states, columns).
            prior_rows: observations that an anchor, and the spread of all observations, count for where a state has
                one Gaussian (a conjugate prior).
            rows_of_a_part: observations of a state for each of its Gaussians, at least, unless it has only one.
        """
        count, columns = anchors.shape
        known = x[states >= 0]
        pooled = np.diag(known.var(axis=0)) if len(known) else np.eye(columns)
        weight = np.zeros((count, PARTS))
        mean = np.repeat(anchors[:, None, :], PARTS, axis=1)
        covariance = np.tile(pooled + LEAST_SPREAD * np.eye(columns), (count, PARTS, 1, 1))
        for state in range(count):
            mine = x[states == state]
            parts = int(np.clip(len(mine) // rows_of_a_part, 1, PARTS))
            if parts > 1:
                weight[state, :parts], mean[state, :parts], covariance[state, :parts] = _mixture(mine, parts)
                continue
            total = len(mine) + prior_rows
            weight[state, 0] = 1.0
            mean[state, 0] = (mine.sum(axis=0) + prior_rows * anchors[state]) / total
            apart = mine - mean[state, 0]
            covariance[state, 0] = (apart.T @ apart + prior_rows * pooled) / total + LEAST_SPREAD * np.eye(columns)
        return cls(weight=weight, mean=mean, covariance=covariance)

    def log_density(self, x: Array) -> Array:
        """Log density of each observation in each state, shape (n, states)."""
        found: Array = np.full((len(x), len(self.weight)), -np.inf)
        for state, part in np.argwhere(self.weight > 0).tolist():
            root = np.linalg.cholesky(self.covariance[state, part])
            apart = np.linalg.solve(root, (x - self.mean[state, part]).T)
            one = -0.5 * (apart**2).sum(axis=0) - np.log(np.diag(root)).sum() - 0.5 * x.shape[1] * np.log(2 * np.pi)
            found[:, state] = np.logaddexp(found[:, state], np.log(self.weight[state, part]) + one)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain lists, for JSON."""
        return {name: getattr(self, name).tolist() for name in ("weight", "mean", "covariance")}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """The densities that `as_dict` wrote down."""
        weight, mean, covariance = (np.array(content[name]) for name in ("weight", "mean", "covariance"))
        return cls(weight=weight, mean=mean, covariance=covariance)


def _mixture(x: Array, parts: int) -> tuple[Array, Array, Array]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    with warnings.catch_warnings():
        # Where most observations are equal there are no two clusters to begin with; it begins with one twice.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = GaussianMixture(parts, covariance_type="full", reg_covar=LEAST_SPREAD, random_state=0).fit(x)
    return fitted.weights_, fitted.means_, fitted.covariances_
