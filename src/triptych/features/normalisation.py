"""Causal z-scores: each value against the mean and the standard deviation of its own last candles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FLOOR = 1e-8
"""Added to every standard deviation in quadrature: rounding of a constant column must not look like movement."""
AT_ONCE = 1 << 18
"""Values that are worked on together: as many as a cache holds."""


def rolling_scores(rows: NDArray[np.float64], window: int, clip: float) -> NDArray[np.float64]:
    """Rolling z-scores, cut to [-clip, clip].

    Mean and standard deviation (divided by `window`) are those of the last `window` values up to and including the
    row. A constant column gives 0.

    Args:
        rows: finite values of shape (n_candles, n_columns).
        window: candles, 2 or more.
        clip: largest score.

    Returns:
        float64 array of shape (n_candles, n_columns); NaN in the first `window` - 1 rows. What stands in a row depends
        on the `window` rows that end there, up to rounding (1e-12) that depends on where `rows` starts, and on no
        later one.
    """
    n, columns = rows.shape
    scores = np.full((n, columns), np.nan)
    if n >= window:
        step = max(1, AT_ONCE // n)
        for first in range(0, columns, step):
            part = np.ascontiguousarray(rows[:, first : first + step].T)
            scores[window - 1 :, first : first + step] = _scores(part, window, clip).T
    return scores


def _scores(x: NDArray[np.float64], window: int, clip: float) -> NDArray[np.float64]:
    """Scores from the `window`-th value on, shape (columns, n - window + 1), of `x` of shape (columns, n).

    The history is cut into blocks of window - 1 values. A window that ends at offset j of a block is the block's first
    j + 1 values and the last window - 1 - j of the block before, one at least. So its sums are two running sums that
    never leave their blocks (no drift), and taking the last value of the older block off first, a value of the window
    itself, bounds the cancellation: its distance from the window's mean is at most sqrt(window) standard deviations.
    """
    columns, n = x.shape
    length = window - 1
    n_blocks = -(-n // length)
    blocks = np.zeros((columns, n_blocks, length))
    blocks.reshape(columns, -1)[:, :n] = x
    newer, older = blocks[:, 1:], blocks[:, :-1]
    reference = older[:, :, -1:]
    newer = newer - reference
    older = (older - reference)[:, :, ::-1]
    total = np.cumsum(newer, axis=2)
    total += np.cumsum(older, axis=2)[:, :, ::-1]
    squares = np.cumsum(newer * newer, axis=2)
    squares += np.cumsum(older * older, axis=2)[:, :, ::-1]
    mean = total / window
    variance = np.maximum(squares / window - mean * mean, 0.0)
    scores = (newer - mean) / np.sqrt(variance + FLOOR * FLOOR)
    return np.clip(scores, -clip, clip).reshape(columns, -1)[:, : n - length]
