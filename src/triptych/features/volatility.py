"""How much the price moves. Realised volatilities are per candle, of log returns, over 20 candles."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from triptych.features._history import History
from triptych.features._rolling import Array, ratio, rolling_deviation, rolling_mean, wilder_memory
from triptych.features.factor import Factor, Family

_factor = Family("volatility")
N = 20


def _bollinger_b(h: History) -> Array:
    width = 4.0 * rolling_deviation(h.close, N)
    return 0.5 + ratio(h.close - h.sma(N), width, least=h.least)


def _parkinson(h: History) -> Array:
    return np.sqrt(rolling_mean(np.log(h.high / h.low) ** 2, N) / (4.0 * math.log(2.0)))


def _garman_klass(h: History) -> Array:
    within = 0.5 * np.log(h.high / h.low) ** 2 - (2.0 * math.log(2.0) - 1.0) * np.log(h.close / h.open) ** 2
    return np.sqrt(np.maximum(rolling_mean(within, N), 0.0))


def _rogers_satchell_variance(h: History) -> Array:
    up = np.log(h.high / h.close) * np.log(h.high / h.open)
    down = np.log(h.low / h.close) * np.log(h.low / h.open)
    return rolling_mean(up + down, N)


def _rogers_satchell(h: History) -> Array:
    return np.sqrt(np.maximum(_rogers_satchell_variance(h), 0.0))


def _yang_zhang(h: History) -> Array:
    k = 0.34 / (1.34 + (N + 1) / (N - 1))
    to_sample = N / (N - 1)
    overnight = to_sample * rolling_deviation(np.log(h.open / h.previous_close), N) ** 2
    within = to_sample * rolling_deviation(np.log(h.close / h.open), N) ** 2
    return np.sqrt(np.maximum(overnight + k * within + (1.0 - k) * _rogers_satchell_variance(h), 0.0))


FACTORS: Final[tuple[Factor, ...]] = (
    _factor(
        "bollinger_b",
        N - 1,
        _bollinger_b,
        "%b of Bollinger(20, 2): (close - lower band) / (upper - lower); 0.5 without deviation",
        "ratio",
    ),
    _factor(
        "bollinger_width",
        N - 1,
        lambda h: 4.0 * rolling_deviation(h.close, N) / h.sma(N),
        "(upper - lower) / middle band of Bollinger(20, 2)",
    ),
    _factor("true_range", 1, lambda h: h.true_range / h.previous_close, "true range / previous close"),
    _factor(
        "atr_14", 14, lambda h: h.atr(14) / h.close, "ATR(14) / close (TA-Lib's NATR / 100)", settle=wilder_memory(14)
    ),
    _factor("volatility_20", N, lambda h: rolling_deviation(h.log_return, N), "standard deviation of 20 log returns"),
    _factor("volatility_60", 60, lambda h: rolling_deviation(h.log_return, 60), "standard deviation of 60 log returns"),
    _factor("parkinson_20", N - 1, _parkinson, "Parkinson 1980: root of mean of log(high / low)^2 / (4 log 2)"),
    _factor(
        "garman_klass_20", N - 1, _garman_klass, "Garman and Klass 1980, from high, low, open and close of 20 candles"
    ),
    _factor("rogers_satchell_20", N - 1, _rogers_satchell, "Rogers and Satchell 1991: 20 candles, free of their drift"),
    _factor("yang_zhang_20", N, _yang_zhang, "Yang and Zhang 2000: 20 candles, gaps between them included"),
)
"""To add a factor, add a line."""
