"""The state of the market in two numbers, from raw candles: what a consensus weighs its members by."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLOSE, CandleSeries

REGIME: Final = ("volatility", "trend")
"""Names of the numbers, in order."""
_CHUNK = 2048


def regime_features(windows: NDArray[np.floating]) -> NDArray[np.float64]:
    """The regime at the close of the last candle of each window.

    `volatility` is the logarithm of the volatility of the last quarter of the returns over that of all of them: above
    0 when the market has become livelier. `trend` is the return of the window over the root of its summed squared
    returns, from -sqrt(n) to sqrt(n): how straight the price went, and where to. Both are 0 where no price moved.

    Args:
        windows: raw closed candles, shape (batch, n_returns + 1, 5), n_returns at least 4.

    Returns:
        float64 of shape (batch, 2), finite.
    """
    returns = np.diff(np.log(np.asarray(windows, dtype=np.float64)[:, :, CLOSE]), axis=1)
    squared = returns**2
    recent = squared[:, -max(1, returns.shape[1] // 4) :].mean(axis=1)
    whole = squared.mean(axis=1)
    moved = (whole > 0) & (recent > 0)
    ratio = 0.5 * np.log(np.where(moved, recent, 1.0) / np.where(moved, whole, 1.0))
    path = np.sqrt(squared.sum(axis=1))
    trend = returns.sum(axis=1) / np.where(path > 0, path, 1.0)
    return np.stack([np.clip(ratio, -3.0, 3.0), trend], axis=1)


def regime_over(series: CandleSeries, ends: NDArray[np.int64], length: int) -> NDArray[np.float64]:
    """`regime_features` of `length` returns at the closes of candles `ends`, shape (n, 2).

    NaN where fewer candles came before.
    """
    found = np.full((len(ends), len(REGIME)), np.nan)
    known = np.flatnonzero(ends >= length)
    for start in range(0, len(known), _CHUNK):
        chosen = known[start : start + _CHUNK]
        found[chosen] = regime_features(series.windows(ends[chosen], length + 1))
    return found
