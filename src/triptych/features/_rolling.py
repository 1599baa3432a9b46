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
from scipy.signal import lfilter

Array = NDArray[np.float64]

FORGOTTEN = 1e-9
"""Weight, relative to the newest value's, below which an exponential mean forgets."""
LEAST = 1e-12
"""Share of the price below which a distance between prices is rounding."""


def lag(x: Array, n: int) -> Array:
    """The value of `n` candles ago."""
    late = np.full(len(x), np.nan)
    late[n:] = x[: len(x) - n]
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
    total = np.full(len(x), np.nan)
    if len(x) >= n:
        kept = len(x) - n + 1
        inner = np.zeros(kept)
        for start in range(n):
            inner += x[start : start + kept] * (start + 1)
        total[n - 1 :] = inner / (n * (n + 1) / 2)
    return total


def rolling_deviation(x: Array, n: int) -> Array:
    """Standard deviation of the last `n` values, divided by `n`: from deviations, never from sums of squares."""
    return np.sqrt(_deviations(x, n, squared=True))


def mean_absolute_deviation(x: Array, n: int) -> Array:
    """Mean distance of the last `n` values from their mean."""
    return _deviations(x, n, squared=False)


def _deviations(x: Array, n: int, *, squared: bool) -> Array:
    mean = rolling_mean(x, n)
    total = np.full(len(x), np.nan)
    if len(x) >= n:
        kept = len(x) - n + 1
        inner = np.zeros(kept)
        for start in range(n):
            apart = x[start : start + kept] - mean[n - 1 :]
            inner += apart * apart if squared else np.abs(apart)
        total[n - 1 :] = inner / n
    return total


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
    once its window is: after a halt of the market, nothing is left of what was before. The window's sum is that of two
    neighbouring blocks of `memory` candles, a recursion forwards in the newer and a sum backwards in the older, so the
    cost does not depend on the period.
    """
    out = np.full(len(x), np.nan)
    known = int(np.isnan(x).sum())
    n = len(x) - known
    if n < period:
        return out
    keep, length = 1.0 - alpha, memory(alpha)
    blocks = np.zeros((-(-n // length), length))
    blocks.reshape(-1)[:n] = x[known:]
    powers = keep ** np.arange(length + 1)
    total = lfilter([1.0], [1.0, -keep], blocks, axis=1)
    if len(blocks) > 1:
        older = np.cumsum((blocks[:-1] * powers[length - 1 :: -1])[:, ::-1], axis=1)[:, ::-1]
        total[1:, :-1] += powers[1:length] * older[:, 1:]
    weights = np.full(blocks.shape, (1.0 - powers[length]) / alpha)
    weights[0] = (1.0 - powers[1:]) / alpha
    out[known + period - 1 :] = (total / weights).reshape(-1)[period - 1 : n]
    return out


def ratio(part: Array, whole: Array, *, least: Array | float = 0.0, neutral: float = 0.0) -> Array:
    """`part / whole`, and `neutral` where `whole` is not above `least`: nothing was traded, nothing moved."""
    enough = whole > least
    unknown = np.isnan(part) | np.isnan(whole)
    out = np.where(unknown, np.nan, neutral)
    np.divide(part, whole, out=out, where=enough & ~unknown)
    return out
