"""From raw evidence to deviations: how far out a value is among those of held-out normal rows, above and below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

_TAIL = 0.01
_DEVIATIONS = 2.3263  # of a normal law at that tail


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Median and the widths of both tails of each channel and kind, float64 (channels, kinds) each."""

    centre: NDArray[np.float64]
    below: NDArray[np.float64]
    above: NDArray[np.float64]

    @classmethod
    def of(cls, evidence: NDArray[np.float64]) -> Self:
        """Learn from evidence of normal rows, (n_rows, channels, kinds).

        A tail is measured by its outermost percent, in the deviations a normal law would have there.
        """
        low, centre, high = np.quantile(evidence, (_TAIL, 0.5, 1.0 - _TAIL), axis=0)
        spread = (high - low) / (2 * _DEVIATIONS)
        least = np.maximum(0.25 * spread, 1e-6)
        return cls(
            centre=centre,
            below=np.maximum((centre - low) / _DEVIATIONS, least),
            above=np.maximum((high - centre) / _DEVIATIONS, least),
        )

    def deviations(self, evidence: NDArray[np.float64], *, bound: float) -> NDArray[np.float64]:
        """How far out, 0 at the median, in deviations of the tail on that side; at most `bound`. Same shape."""
        away = evidence - self.centre
        out = np.where(away > 0, away / self.above, -away / self.below)
        return np.minimum(out, bound)
