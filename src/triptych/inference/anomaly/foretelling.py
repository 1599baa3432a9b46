"""Each channel as others of the same row foretell it, and the evidence that they do so no longer.

The residual of channel i given the channels j is that of a ridge regression; a channel never foretells itself. The log
likelihood ratio of a row, "the others tell nothing" against "they tell what they told", is large where a channel has
come apart; a wild row raises both sides. Page's cumulative sum of it (1954) asks whether there is a row since when they
have been apart. Arrays have the shape (..., rows, channels).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_RIDGE: Final = 0.02  # of a channel's variance: keeps copies of a channel invertible
MOST: Final = 8.0
"""Nats at which a cumulative sum ends: enough to be sure, little enough to forget soon."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Foretelling:
    """A ridge regression of each channel on others.

    Attributes:
        mean: float64 (channels,).
        weights: float64 (channels, channels): row i holds the coefficients that foretell channel i; 0 for those that
            are not asked.
        spread: float64 (channels,): variance of a channel.
        left: float64 (channels,): variance of its residual.
    """

    mean: Array
    weights: Array
    spread: Array
    left: Array

    @classmethod
    def learn(cls, rows: Array, others: Sequence[Sequence[int]]) -> Self:
        """Learn from rows (n, channels); `others` says for each channel which ones foretell it."""
        channels = rows.shape[1]
        mean = rows.mean(axis=0)
        covariance = np.cov(rows.T, bias=True).reshape(channels, channels)
        ridge = _RIDGE * np.diag(np.maximum(np.diag(covariance), 1e-6))
        weights = np.zeros((channels, channels))
        for i, asked in enumerate(others):
            if len(asked):
                inside = np.ix_(asked, asked)
                weights[i, asked] = np.linalg.solve(covariance[inside] + ridge[inside], covariance[asked, i])
        made = cls(mean=mean, weights=weights, spread=np.maximum(np.diag(covariance), 1e-6), left=np.ones(channels))
        left = np.maximum(made.residual(rows).var(axis=0), 1e-6)
        return cls(mean=mean, weights=weights, spread=made.spread, left=left)

    def residual(self, rows: Array) -> Array:
        """What is not foretold."""
        away = rows - self.mean
        left = away.copy()
        for j in range(rows.shape[-1]):  # channel by channel: the same to the last bit for one window and for many
            left -= away[..., j : j + 1] * self.weights[:, j]
        return left

    def apart(self, rows: Array) -> Array:
        """Log likelihood ratio in nats, above 0 where the others tell nothing of a channel."""
        away = (rows - self.mean) ** 2 / self.spread
        left = self.residual(rows) ** 2 / self.left
        return np.asarray(0.5 * (left - away) + 0.5 * np.log(self.left / self.spread))


def cumulative(ratios: Array) -> Array:
    """Page's cumulative sum at the last row of each window, from 0 to `MOST`: (n, rows, channels) -> (n, channels)."""
    total = np.zeros((len(ratios), ratios.shape[2]))
    for t in range(ratios.shape[1]):
        total = np.minimum(np.maximum(total + ratios[:, t], 0.0), MOST)
    return total


def parts_of(columns: Sequence[str]) -> list[str]:
    """The part each channel belongs to: the first word of its name; its own name where that parts nothing.

    "BTC range" and "BTC return" belong together. Where all names begin alike, or no two do, every channel is a part.
    """
    first = [name.split(" ", 1)[0] for name in columns]
    return first if 1 < len(set(first)) < len(first) else list(columns)
