"""How far labels overlap in time: weights and the effective number of samples (López de Prado 2018, chapter 4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def average_uniqueness(start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.float64]:
    """Average uniqueness of each label among all labels given (section 4.4).

    A label lives on candles start + 1 .. end. On each of them its share is 1 / (number of labels alive there); its
    uniqueness is the mean share over its life. Labels that overlap nobody have 1; h labels on the same candles have 1
    / h each.

    Args:
        start: int64 of shape (n_samples,), candle of the decision.
        end: int64 of shape (n_samples,), candle that settles the label; later than `start`.

    Returns:
        float64 of shape (n_samples,), in (0, 1].
    """
    start, end = np.asarray(start, dtype=np.int64), np.asarray(end, dtype=np.int64)
    if not start.size:
        return np.empty(0)
    origin = int(start.min())
    size = int(end.max()) - origin + 2
    change = np.bincount(start - origin + 1, minlength=size) - np.bincount(end - origin + 1, minlength=size)
    alive = np.cumsum(change)
    share = np.concatenate(([0.0], np.cumsum(1.0 / np.maximum(alive, 1))))
    total = share[end - origin + 1] - share[start - origin + 1]
    uniqueness: NDArray[np.float64] = np.clip(total / (end - start), 0.0, 1.0)
    return uniqueness
