"""What the heterogeneous autoregression of volatility reads at each close: alone, and with ranges and the clock.

Corsi, "A Simple Approximate Long-Memory Model of Realized Volatility", Journal of Financial Econometrics 7(2), 2009,
equation 8, on logarithms. With more inputs it is what is called HAR-X: here measures of the candles' ranges (Parkinson
1980; Garman and Klass 1980, equation 19a) over the same spans, and the clock, which a network that reads them must beat
to have found anything that least squares does not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries
from triptych.features.close_volatility import log_returns

SPANS = (1, 5, 22)
"""Horizons behind which the autoregression looks back."""
QUARTER = 4
"""Ranges are also read over the last quarter of a horizon: they say much of little."""
LEAST = 1e-16
"""Variance below which a price stood still, but for rounding."""
DAY_MS, WEEK_DAYS = 86_400_000, 7
Array = NDArray[np.float64]


def har_inputs(series: CandleSeries, horizon: int) -> Array:
    """Logarithms of realised volatility over 1, 5 and 22 horizons behind each close, shape (n_candles, 3).

    NaN where there are fewer candles, or the price stood still.
    """
    found: Array = np.column_stack([log_volatility_behind(series, span * horizon) for span in SPANS])
    return found


def har_x_inputs(series: CandleSeries, horizon: int) -> Array:
    """`har_inputs`, ranges and clock, shape (n_candles, 19).

    Ranges: logarithms of Parkinson's and of Garman and Klass's volatility over the last quarter of a horizon and over
    1, 5 and 22 horizons. Clock: sines and cosines of the time of the day and of the week of the close (UTC), each also
    at twice its pace.
    """
    lengths = (max(1, horizon // QUARTER), *(span * horizon for span in SPANS))
    ranges = [_log_mean(one, length) for one in _range_variances(series) for length in lengths]
    return np.column_stack([har_inputs(series, horizon), *ranges, *_clock(series)])


def log_volatility_behind(series: CandleSeries, length: int) -> Array:
    """Logarithm of the root of the sum of the last `length` squared log returns; NaN where there are fewer, or none."""
    squared = np.nan_to_num(log_returns(series)) ** 2
    found: Array = _log_mean(squared, length) + 0.5 * np.log(length)
    found[:length] = np.nan  # the first return is not known
    return found


def _log_mean(variance: Array, length: int) -> Array:
    """Logarithm of the root of the mean of the last `length` values; NaN where there are fewer, or it is nothing."""
    total = np.concatenate(([0.0], np.cumsum(variance)))
    found = np.full(len(variance), np.nan)
    summed = total[length:] - total[:-length] if len(variance) >= length else np.zeros(0)
    with np.errstate(divide="ignore"):
        logs = 0.5 * np.log(np.maximum(summed, 0.0) / length)
    found[length - 1 :] = np.where(summed > LEAST, logs, np.nan)  # what rounding leaves of a price that stood still
    return found


def _range_variances(series: CandleSeries) -> tuple[Array, Array]:
    """Variance of each candle by Parkinson, and by Garman and Klass, which is at least 0."""
    opened, high, low, close = np.log(series.values[:, :4].T)
    spread = (high - low) ** 2
    return spread / (4 * np.log(2)), np.maximum(0.5 * spread - (2 * np.log(2) - 1) * (close - opened) ** 2, 0.0)


def _clock(series: CandleSeries) -> list[Array]:
    days = series.close_time_ms / DAY_MS
    turns = (days, 2 * days, days / WEEK_DAYS, 2 * days / WEEK_DAYS)
    return [wave(2 * np.pi * (turn % 1.0)) for turn in turns for wave in (np.sin, np.cos)]
