"""Normal scores: each channel on the scale of a normal law, so that neither its shape nor its outliers rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]
FARTHEST: Final = 3.29
"""Normal scores end here, at one in 2,000 on each side."""
_KNOTS: Final = 257


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranks:
    """Quantiles of training rows and the normal scores that belong to them, float64 (channels, 257) each."""

    knots: Array
    scores: Array

    @classmethod
    def of(cls, rows: Array) -> Self:
        """Learn from rows (n, channels)."""
        levels = np.linspace(-FARTHEST, FARTHEST, _KNOTS)
        knots = np.quantile(rows, ndtr(levels), axis=0).T
        scores = np.empty_like(knots)
        for channel, own in enumerate(knots):
            _, first, count = np.unique(own, return_index=True, return_counts=True)
            # Equal values share the mean of their scores.
            scores[channel] = np.repeat(np.add.reduceat(levels, first) / count, count)
        return cls(knots=np.ascontiguousarray(knots), scores=scores)

    def __call__(self, rows: Array) -> Array:
        """Normal scores of rows (..., channels), linear between the knots, at most `FARTHEST` from 0."""
        found = np.empty(rows.shape)
        for channel, (knots, scores) in enumerate(zip(self.knots, self.scores, strict=True)):
            found[..., channel] = np.interp(rows[..., channel], knots, scores)
        return found
