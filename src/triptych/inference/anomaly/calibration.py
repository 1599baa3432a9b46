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
    def of(cls, evidence: NDArray[np.float64], *, together: NDArray[np.bool_] | None = None) -> Self:
        """Learn from evidence of normal rows, (n_rows, channels, kinds).

        A tail is measured by its outermost percent, in the deviations a normal law would have there. Kinds of which
        `together` (kinds,) is true have a natural scale and end at 0: their channels share one measure, that of the
        greatest of them, so that a channel about which they never say much cannot cry wolf.
        """
        low, centre, high = np.quantile(evidence, (_TAIL, 0.5, 1.0 - _TAIL), axis=0)
        spread = (high - low) / (2 * _DEVIATIONS)
        least = np.maximum(0.25 * spread, 1e-6)
        below = np.maximum((centre - low) / _DEVIATIONS, least)
        above = np.maximum((high - centre) / _DEVIATIONS, least)
        for kind in np.flatnonzero(together) if together is not None else ():
            centre[:, kind] = 0.0
            above[:, kind] = max(float(np.quantile(evidence[:, :, kind].max(axis=1), 1 - _TAIL)) / _DEVIATIONS, 1e-6)
        return cls(centre=centre, below=below, above=above)

    def deviations(self, evidence: NDArray[np.float64], *, bound: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """How far out, 0 at the median, in deviations of the tail on that side; at most `bound`. Same shape.

        `bound` is one number or one for each kind.
        """
        away = evidence - self.centre
        out = np.where(away > 0, away / self.above, -away / self.below)
        return np.minimum(out, bound)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """All of it, by name."""
        return {"centre": self.centre, "below": self.below, "above": self.above}
