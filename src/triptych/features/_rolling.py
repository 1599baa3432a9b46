"""Windowed sums and means that do not drift: the value at a candle is made from its own window and nothing else.

Running sums, which TA-Lib uses, carry the rounding of the whole past with them: a mean of zeros after a spike is not
zero, and a history that starts later gives other digits. Here sums over short windows are added lag by lag, in the same
order for every candle; exponential means end after `memory` candles.

All arrays are float64 of shape (n_candles,), with NaN in the rows before a value is known and nowhere else.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from triptych.domain.compiling import compiled

Array = NDArray[np.float64]

FORGOTTEN = 1e-9
"""Weight, relative to the newest value's, below which an exponential mean forgets."""
LEAST = 1e-12
"""Share of the price below which a distance between prices is rounding."""
STILL = 1e-9
"""Share of the price below which an exponential mean of its steps only echoes what was before a halt. The quotient of
two such echoes must end before their memory does, or the last step in it would decide alone."""


def lag(x: Array, n: int) -> Array:
    """The value of `n` candles ago."""
    late = np.full(len(x), np.nan)
    late[n:] = x[: max(len(x) - n, 0)]
    return late


def rolling_sum(x: Array, n: int) -> Array:
    """Sum of the last `n` values."""
    total = np.full(len(x), np.nan)
    if len(x) >= n:
        kept = len(x) - n + 1
        inner = x[:kept].copy()
        for start in range(1, n):
            inner += x[start : start + kept]
        total[n - 1 :] = inner
    return total


def rolling_mean(x: Array, n: int) -> Array:
    """Mean of the last `n` values."""
    return rolling_sum(x, n) / n


def weighted_mean(x: Array, n: int) -> Array:
    """Mean of the last `n` values with weights 1 .. n, the newest the heaviest (TA-Lib's WMA)."""
    weights = np.arange(1.0, n + 1.0)
    return _weighted_sum(x, weights / weights.sum())


def slope(x: Array, n: int) -> Array:
    """Slope, per candle, of the line fitted to the last `n` values by least squares."""
    apart = np.arange(n) - (n - 1) / 2.0
    return _weighted_sum(x, apart / (apart @ apart))


def _weighted_sum(x: Array, weights: Array) -> Array:
    n = len(weights)
    total = np.full(len(x), np.nan)
    if len(x) >= n:
        inner = np.zeros(len(x) - n + 1)
        for start, weight in enumerate(weights):
            inner += x[start : start + len(inner)] * weight
        total[n - 1 :] = inner
    return total


def rolling_deviation(x: Array, n: int) -> Array:
    """Standard deviation of the last `n` values, divided by `n`: from deviations, never from sums of squares."""
    return np.sqrt(_deviations(x, n, squared=True))


def mean_absolute_deviation(x: Array, n: int) -> Array:
    """Mean distance of the last `n` values from their mean."""
    return _deviations(x, n, squared=False)


def _deviations(x: Array, n: int, *, squared: bool) -> Array:
    total = np.full(len(x), np.nan)
    if len(x) >= n:
        inner = np.zeros(len(x) - n + 1)
        _add_deviations(x, rolling_mean(x, n)[n - 1 :], n, squared, inner)
        total[n - 1 :] = inner / n
    return total


@compiled
def _add_deviations(x: Array, mean: Array, n: int, squared: bool, total: Array) -> None:
    for start in range(n):
        for i in range(len(total)):
            apart = x[start + i] - mean[i]
            total[i] += apart * apart if squared else abs(apart)


def ema_memory(period: int) -> int:
    """Candles after which an exponential mean of `period` candles has forgotten."""
    return memory(2.0 / (period + 1))


def wilder_memory(period: int) -> int:
    """Candles after which Wilder's mean of `period` candles has forgotten."""
    return memory(1.0 / period)


def memory(alpha: float) -> int:
    """Candles after which an exponential mean with weight `alpha` for the newest value has forgotten."""
    return math.ceil(math.log(FORGOTTEN) / math.log1p(-alpha))


def ema(x: Array, period: int) -> Array:
    """Exponential mean with alpha = 2 / (period + 1), known from the `period`-th value on."""
    return exponential_mean(x, 2.0 / (period + 1), period)


def wilder(x: Array, period: int) -> Array:
    """Wilder's exponential mean, alpha = 1 / period, known from the `period`-th value on."""
    return exponential_mean(x, 1.0 / period, period)


def exponential_mean(x: Array, alpha: float, period: int) -> Array:
    """Exponential mean of the last `memory(alpha)` values, their weights summing to 1.

    It differs from the endless recursion by 1e-9 of the distance between old and new values, and is exactly constant
    once its window is: after a halt of the market, nothing is left of what was before.
    """
    out = np.full(len(x), np.nan)
    first = int(np.isnan(x).sum())
    if len(x) - first >= period:
        _exponential_mean(x[first:], alpha, memory(alpha), out[first:])
        out[first : first + period - 1] = np.nan
    return out


@compiled
def _exponential_mean(x: Array, alpha: float, length: int, out: Array) -> None:
    """Fill `out` with means over windows of `length` values, at a cost that does not depend on it.

    The values are cut into blocks of that length. A window is the newer part of one block, a recursion forwards, and
    the rest of the block before, a sum backwards; neither leaves its block, so nothing drifts.
    """
    keep = 1.0 - alpha
    powers = np.empty(length + 1)
    powers[0] = 1.0
    for j in range(length):
        powers[j + 1] = keep * powers[j]
    older = np.zeros(length + 1)
    weights = 1.0 - powers[length]
    for start in range(0, len(x), length):
        stop = min(start + length, len(x))
        newer = 0.0
        for i in range(start, stop):
            j = i - start + 1
            newer = keep * newer + x[i]
            out[i] = (newer + powers[j] * older[j]) * alpha / (weights if start > 0 else 1.0 - powers[j])
        for j in range(stop - start - 1, -1, -1):
            older[j] = older[j + 1] + powers[length - 1 - j] * x[start + j]


def ratio(part: Array, whole: Array, *, least: Array | float = 0.0, neutral: float = 0.0) -> Array:
    """`part / whole`, and `neutral` where `whole` is not above `least`: nothing was traded, nothing moved."""
    enough = whole > least
    unknown = np.isnan(part) | np.isnan(whole)
    out = np.where(unknown, np.nan, neutral)
    np.divide(part, whole, out=out, where=enough & ~unknown)
    return out
