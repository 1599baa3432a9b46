"""How much a pattern looks like its textbook: what a score is made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_RESIDUAL = 0.2
"""Departure of the closes from the legs, as a share of the height, at which nothing is left of the shape."""
LEAST_FIT = 0.01
"""What is left then, so that bad patterns can still be told apart by the rest."""


def quality(
    closeness: float, close: NDArray[np.float64], index: tuple[int, ...], price: tuple[float, ...], height: float
) -> float:
    """Geometric mean of three, each from 0 to 1: closeness to the rules, fit of the legs, evenness of their lengths.

    Args:
        closeness: of the family's own measures to its exact shape.
        close: closes from the first turning point to the last.
        index, price: the turning points, by position in the history.
        height: of the pattern's box, a price.

    Fit falls with the root mean square distance of the closes from the straight legs between the turning points, as a
    share of the height; evenness is the shortest leg by the longest, in candles.
    """
    legs = np.interp(np.arange(index[0], index[-1] + 1), index, price)
    residual = float(np.sqrt(((close - legs) ** 2).mean())) / height if height > 0 else 1.0
    lengths = np.diff(index)
    even = float(lengths.min() / lengths.max())
    fit = max(LEAST_FIT, 1.0 - residual / MOST_RESIDUAL)
    return float((closeness * fit * even) ** (1.0 / 3.0))
