"""Extrema of a kernel regression within a window: Lo, Mamaysky and Wang, Journal of Finance 55(4), 2000, section II.

The closes of the window are smoothed by Nadaraya and Watson's estimator with a Gaussian kernel, its bandwidth a share
of the one that leave-one-out cross-validation finds best. Where the derivative of the smoothed price changes sign from
one candle to the next, the raw extreme among the close before, at and after is taken; where it is 0, the next
derivative that is not decides. Nothing outside the window is used.

The paper does not say between which bandwidths it searches, nor what becomes of two raw extremes that lie so close that
they are not in order: here the later one is left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triptych.domain.compiling import compiled

CHOICES = 16
"""Bandwidths that are tried, in equal ratios, up to half the window."""
SMALLEST = 0.5
"""The smallest of them, candles. Below it a close that is left out is told by the mean of its two neighbours, whatever
the bandwidth: nothing smaller could be found better."""


class KernelExtrema:
    """Finds extrema in windows of `length` closes."""

    def __init__(self, length: int, share: float) -> None:
        """Prepare the weights.

        Args:
            length: closes of a window.
            share: of the cross-validated bandwidth, which is used.
        """
        self.length = length
        apart = np.subtract.outer(np.arange(length), np.arange(length)).astype(np.float64)
        choices = np.geomspace(SMALLEST, length / 2, CHOICES)
        self._bandwidths = share * choices
        self._others = np.stack([_left_out(apart, h) for h in choices])
        self._slopes = np.stack([_derivative(apart, h) for h in self._bandwidths])

    def find(self, close: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Positions in the window of its alternating extrema, and which of them are tops.

        Args:
            close: float64 array of shape (length,).
        """
        positions = np.empty(self.length, dtype=np.int64)
        tops = np.empty(self.length, dtype=np.bool_)
        count = _find(np.ascontiguousarray(close), self._others, self._slopes, positions, tops)
        return positions[:count], tops[:count]

    def bandwidth(self, close: NDArray[np.float64]) -> float:
        """The bandwidth that is used in a window, candles."""
        return float(self._bandwidths[_best(np.ascontiguousarray(close), self._others)])


def _left_out(apart: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    """Weights of the other closes by which each is estimated, transposed."""
    kernel = np.exp(-0.5 * (apart / bandwidth) ** 2)
    np.fill_diagonal(kernel, 0.0)
    return np.ascontiguousarray((kernel / kernel.sum(axis=1, keepdims=True)).T)


def _derivative(apart: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    """Weights of the closes' differences from a candle's own in the derivative there, transposed."""
    kernel = np.exp(-0.5 * (apart / bandwidth) ** 2)
    total = kernel.sum(axis=1, keepdims=True)
    slope = -apart / bandwidth**2 * kernel
    return np.ascontiguousarray((slope / total - kernel * slope.sum(axis=1, keepdims=True) / total**2).T)


@compiled
def _regress(close: NDArray[np.float64], weights: NDArray[np.float64], line: NDArray[np.float64]) -> None:
    """`line` = transpose of `weights` times `close`, in loops that a processor takes several numbers at a time in."""
    line[:] = 0.0
    for j in range(len(close)):
        for i in range(len(close)):
            line[i] += weights[j, i] * close[j]


@compiled
def _slope(close: NDArray[np.float64], weights: NDArray[np.float64], line: NDArray[np.float64]) -> None:
    """As `_regress`, of each close's differences: exactly 0 where the price stands still."""
    line[:] = 0.0
    for j in range(len(close)):
        for i in range(len(close)):
            line[i] += weights[j, i] * (close[j] - close[i])


@compiled
def _best(close: NDArray[np.float64], others: NDArray[np.float64]) -> int:
    """Which bandwidth tells each close best from the others."""
    best, least = 0, np.inf
    line = np.empty(len(close))
    for choice in range(len(others)):
        _regress(close, others[choice], line)
        error = 0.0
        for i in range(len(close)):
            error += (close[i] - line[i]) ** 2
        if error < least:
            best, least = choice, error
    return best


@compiled
def _find(
    close: NDArray[np.float64],
    others: NDArray[np.float64],
    slopes: NDArray[np.float64],
    positions: NDArray[np.int64],
    tops: NDArray[np.bool_],
) -> int:
    n = len(close)
    line = np.empty(n)
    _slope(close, slopes[_best(close, others)], line)
    count, last = 0, -1  # the last candle whose derivative is not 0
    for i in range(n):
        if line[i] == 0.0:
            continue
        if last >= 0 and (line[last] > 0.0) != (line[i] > 0.0):
            top = line[last] > 0.0
            turn = last if i == last + 1 else last + 1
            at = max(turn - 1, 0)
            for j in range(at + 1, min(turn + 2, n)):
                if (close[j] > close[at]) if top else (close[j] < close[at]):
                    at = j
            if count and tops[count - 1] == top:  # one between was left out
                if (close[at] > close[positions[count - 1]]) if top else (close[at] < close[positions[count - 1]]):
                    positions[count - 1] = at
            elif not count or at > positions[count - 1]:
                positions[count] = at
                tops[count] = top
                count += 1
        last = i
    return count
