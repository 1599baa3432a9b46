"""How much an instrument moves: pure functions of its last candles, so that a restart finds the same numbers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLOSE, HIGH, LOW

YEAR_MS = 365.25 * 86_400_000
HALF_LIVES = 5
"""Older candles, 3 % of the weight, are left out: the estimate then depends on a fixed number of candles."""


class ReturnVolatility:
    """Volatility per year of an instrument's log returns, exponentially weighted.

    The weighted mean of squared log returns is divided by the equally weighted mean of the time between closes. So
    nights, weekends and gaps are counted as they are, and nobody has to say how many candles a year holds. The mean
    return is taken as zero (RiskMetrics Technical Document, 1996, section 5.2).
    """

    def __init__(self, half_life: int) -> None:
        n = HALF_LIVES * half_life
        weights = 0.5 ** (np.arange(n - 1, -1, -1) / half_life)
        self._weights = weights / weights.sum()
        self.n_returns = n

    def __call__(self, values: NDArray[np.float64], close_times_ms: NDArray[np.int64]) -> float:
        """Volatility, a fraction per year (0.8 = 80 %).

        Args:
            values: candles of shape (n_returns + 1, 5), oldest first.
            close_times_ms: their close times, shape (n_returns + 1,).
        """
        return self.per_year(self.per_candle(values), close_times_ms)

    def per_year(self, per_candle: float, close_times_ms: NDArray[np.int64]) -> float:
        """A volatility of one candle as one of a year, by the time between these closes, shape (n_returns + 1,)."""
        years = (close_times_ms[1:] - close_times_ms[:-1]) / YEAR_MS
        return per_candle / math.sqrt(self._weights @ years)

    def per_candle(self, values: NDArray[np.float64]) -> float:
        """The same as the standard deviation of one candle's log return, however long the candles lie apart."""
        logarithms = np.log(values[:, CLOSE])
        returns = logarithms[1:] - logarithms[:-1]
        return math.sqrt(self._weights @ (returns * returns))


def average_true_range(values: NDArray[np.float64]) -> float:
    """Mean true range of candles 1 .. n of `values`, shape (n + 1, 5), in quote currency.

    The true range is the larger of high and previous close less the smaller of low and previous close. The plain mean
    is used rather than Wilder's recursion, whose memory never ends.
    """
    previous = values[:-1, CLOSE]
    high = np.maximum(values[1:, HIGH], previous)
    low = np.minimum(values[1:, LOW], previous)
    return float(np.mean(high - low))
