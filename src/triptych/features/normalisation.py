"""Causal z-scores: each value against the mean and the standard deviation of its own last candles."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from triptych.domain.compiling import compiled

FLOOR = 1e-8
"""Added to every standard deviation in quadrature: rounding of a constant column must not look like movement."""


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
    scores = np.full(rows.shape, np.nan)
    _rolling_scores(np.ascontiguousarray(rows), window, clip, scores)
    return scores


def scores_of_known(rows: NDArray[np.float64], window: int, clip: float) -> NDArray[np.float64]:
    """`rolling_scores` of columns with unknown values: NaN in `rows` and wherever a score cannot be told.

    Mean and standard deviation are those of the known values among the last `window`. A score is NaN where its own
    value is, and where fewer than half of them are known. Each is computed from its own window alone, to the last bit.
    """
    scores = np.full(rows.shape, np.nan)
    _scores_of_known(np.ascontiguousarray(rows), window, clip, scores)
    return scores


@compiled
def _scores_of_known(x: NDArray[np.float64], window: int, clip: float, scores: NDArray[np.float64]) -> None:
    """Fill `scores` from row `window` - 1 on, each in two passes over its window."""
    for c in range(x.shape[1]):
        for i in range(window - 1, len(x)):
            if math.isnan(x[i, c]):
                continue
            count, total = 0, 0.0
            for k in range(i - window + 1, i + 1):
                if not math.isnan(x[k, c]):
                    count += 1
                    total += x[k, c] - x[i, c]
            if 2 * count < window:
                continue
            mean, squares = total / count, 0.0
            for k in range(i - window + 1, i + 1):
                if not math.isnan(x[k, c]):
                    squares += (x[k, c] - x[i, c] - mean) ** 2
            score = -mean / math.sqrt(squares / count + FLOOR * FLOOR)
            scores[i, c] = min(max(score, -clip), clip)


@compiled
def _rolling_scores(x: NDArray[np.float64], window: int, clip: float, scores: NDArray[np.float64]) -> None:
    """Fill `scores` from row `window` - 1 on.

    The rows are cut into blocks of window - 1. A window that ends at offset j of a block is the block's first j + 1
    rows and the last window - 1 - j of the block before, one at least. So its sums are two running sums that never
    leave their blocks (no drift). The last row of the older block is taken off first: it belongs to the window, so it
    is at most sqrt(window) standard deviations from the mean, and that bounds the cancellation.
    """
    n, columns = x.shape
    length = window - 1
    older_sum, older_squares = np.empty((length, columns)), np.empty((length, columns))
    newer_sum, newer_squares = np.empty(columns), np.empty(columns)
    for start in range(length, n, length):
        reference = x[start - 1]
        newer_sum[:] = 0.0
        newer_squares[:] = 0.0
        for j in range(length - 1, -1, -1):
            row = x[start - length + j]
            for c in range(columns):
                apart = row[c] - reference[c]
                newer_sum[c] += apart
                newer_squares[c] += apart * apart
                older_sum[j, c] = newer_sum[c]
                older_squares[j, c] = newer_squares[c]
        newer_sum[:] = 0.0
        newer_squares[:] = 0.0
        for i in range(start, min(start + length, n)):
            j = i - start
            for c in range(columns):
                apart = x[i, c] - reference[c]
                newer_sum[c] += apart
                newer_squares[c] += apart * apart
                mean = (newer_sum[c] + older_sum[j, c]) / window
                variance = max((newer_squares[c] + older_squares[j, c]) / window - mean * mean, 0.0)
                score = (apart - mean) / math.sqrt(variance + FLOOR * FLOOR)
                scores[i, c] = min(max(score, -clip), clip)
