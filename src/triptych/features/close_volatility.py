"""Volatility known at the close of each candle: what targets scale their thresholds by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries


def log_returns(series: CandleSeries) -> NDArray[np.float64]:
    """Close-to-close log returns, shape (n_candles,); the first is NaN: nothing stands before it."""
    returns = np.full(len(series), np.nan)
    returns[1:] = np.diff(np.log(series.close))
    return returns


def ewma_volatility(series: CandleSeries, span: int) -> NDArray[np.float64]:
    """Root of the exponentially weighted mean of squared log returns up to and including each candle.

    The mean return is taken as zero, as in RiskMetrics (J.P. Morgan 1996, section 5.2); the weights of the returns
    seen so far sum to 1.

    Args:
        series: candles.
        span: decay of the weights in candles, alpha = 2 / (span + 1).

    Returns:
        float64 array of shape (n_candles,), per candle; NaN before `span` returns are known.
    """
    volatility = np.full(len(series), np.nan)
    squared = log_returns(series)[1:] ** 2
    if len(squared) < span:
        return volatility
    keep = 1.0 - 2.0 / (span + 1)
    # A recursion, so the value at t is the same to the last bit however much history follows.
    from scipy.signal import lfilter  # takes half a second to load, which most commands need not wait for

    weighted = lfilter([1.0], [1.0, -keep], squared)
    weights = lfilter([1.0], [1.0, -keep], np.ones_like(squared))
    volatility[span:] = np.sqrt(weighted / weights)[span - 1 :]
    return volatility


def rolling_volatility(series: CandleSeries, span: int) -> NDArray[np.float64]:
    """Root of the plain mean of the last `span` squared log returns, as `ewma_volatility` otherwise."""
    volatility = np.full(len(series), np.nan)
    squared = log_returns(series)[1:] ** 2
    n = len(squared) - span + 1
    if n < 1:
        return volatility
    total = np.zeros(n)
    # Added lag by lag: neither a running sum's cancellation nor a summation order that depends on the length.
    for lag in range(span):
        total += squared[lag : lag + n]
    volatility[span:] = np.sqrt(total / span)
    return volatility
