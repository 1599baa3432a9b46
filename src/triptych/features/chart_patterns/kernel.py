"""Extrema of a kernel regression within a window: Lo, Mamaysky and Wang, Journal of Finance 55(4), 2000, section II.

The closes of the window are smoothed by Nadaraya and Watson's estimator with a Gaussian kernel, its bandwidth a share
of the one that leave-one-out cross-validation finds best. Where the slope of the smoothed price changes sign, the raw
extreme among the close before, at and after is taken. Nothing outside the window is used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triptych.domain.compiling import compiled

CHOICES = 10
"""Bandwidths that are tried, from 1 candle to a quarter of the window, in equal ratios."""


class KernelExtrema:
    """Finds extrema in windows of `length` closes."""

    def __init__(self, length: int, share: float, least: float) -> None:
        self.length = length
        apart = np.subtract.outer(np.arange(length), np.arange(length)).astype(np.float64)
        choices = np.geomspace(1.0, length / 4, CHOICES)
        self._others = np.stack([_weights(apart, h, leave_one_out=True) for h in choices])
        self._smooth = np.stack([_weights(apart, max(share * h, least), leave_one_out=False) for h in choices])

    def find(self, close: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Positions in the window of its alternating extrema, and which of them are tops.

        Args:
            close: float64 array of shape (length,).
        """
        positions = np.empty(self.length, dtype=np.int64)
        tops = np.empty(self.length, dtype=np.bool_)
        count = _find(np.ascontiguousarray(close), self._others, self._smooth, positions, tops)
        return positions[:count], tops[:count]


def _weights(apart: NDArray[np.float64], bandwidth: float, *, leave_one_out: bool) -> NDArray[np.float64]:
    kernel = np.exp(-0.5 * (apart / bandwidth) ** 2)
    if leave_one_out:
        np.fill_diagonal(kernel, 0.0)
    weights: NDArray[np.float64] = kernel / kernel.sum(axis=1, keepdims=True)
    return np.ascontiguousarray(weights.T)


@compiled
def _regress(close: NDArray[np.float64], weights: NDArray[np.float64], line: NDArray[np.float64]) -> None:
    """`line` = transpose of `weights` times `close`, in loops that a processor takes several numbers at a time in."""
    line[:] = 0.0
    for j in range(len(close)):
        for i in range(len(close)):
            line[i] += weights[j, i] * close[j]


@compiled
def _find(
    close: NDArray[np.float64],
    others: NDArray[np.float64],
    smooth: NDArray[np.float64],
    positions: NDArray[np.int64],
    tops: NDArray[np.bool_],
) -> int:
    n = len(close)
    best, least = 0, np.inf
    line = np.empty(n)
    for choice in range(len(others)):
        _regress(close, others[choice], line)
        error = 0.0
        for i in range(n):
            error += (close[i] - line[i]) ** 2
        if error < least:
            best, least = choice, error
    _regress(close, smooth[best], line)
    count = 0
    for i in range(1, n - 1):
        rises, falls = line[i] - line[i - 1], line[i + 1] - line[i]
        top = rises > 0 and falls <= 0
        if not (top or (rises < 0 and falls >= 0)):
            continue
        at = i
        for j in (i - 1, i + 1):
            if (close[j] > close[at]) if top else (close[j] < close[at]):
                at = j
        if count and tops[count - 1] == top:  # cannot be by the slopes, but for a stretch of equal values
            if (close[at] > close[positions[count - 1]]) == top:
                positions[count - 1] = at
            continue
        if count and at <= positions[count - 1]:
            continue
        positions[count] = at
        tops[count] = top
        count += 1
    return count
