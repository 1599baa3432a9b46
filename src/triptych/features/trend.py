"""Direction and strength of the trend. Averages stand relative to the close: a price level gives the epoch away."""

from __future__ import annotations

from typing import Final

import numpy as np
import talib

from triptych.features._history import History
from triptych.features._rolling import (
    Array,
    ema,
    ema_memory,
    ratio,
    rolling_sum,
    slope,
    weighted_mean,
    wilder,
    wilder_memory,
)
from triptych.features.factor import Factor, Family

_factor = Family("trend")


def _macd(h: History) -> Array:
    return (h.ema(12) - h.ema(26)) / h.close


def _macd_signal(h: History) -> Array:
    return ema(h.ema(12) - h.ema(26), 9) / h.close


def _adx(h: History) -> Array:
    plus, minus = h.directional(14)
    return wilder(100.0 * ratio(np.abs(plus - minus), plus + minus), 14)


def _tema(h: History) -> Array:
    twice = h.ema_of_ema(20)
    return 3.0 * h.ema(20) - 3.0 * twice + ema(twice, 20)


def _efficiency(h: History) -> Array:
    path = rolling_sum(np.abs(h.close - h.previous_close), 20)
    way = np.abs(rolling_sum(h.close - h.previous_close, 20))
    return ratio(way, path, least=h.least)


MACD_SETTLE = ema_memory(26) + ema_memory(9)
DIRECTION_SETTLE = wilder_memory(14)

FACTORS: Final[tuple[Factor, ...]] = (
    _factor("sma_10", 9, lambda h: h.close / h.sma(10) - 1.0, "close / SMA(close, 10) - 1"),
    _factor("sma_20", 19, lambda h: h.close / h.sma(20) - 1.0, "close / SMA(close, 20) - 1"),
    _factor("sma_50", 49, lambda h: h.close / h.sma(50) - 1.0, "close / SMA(close, 50) - 1"),
    _factor("ema_12", 11, lambda h: h.close / h.ema(12) - 1.0, "close / EMA(close, 12) - 1", settle=ema_memory(12)),
    _factor("ema_26", 25, lambda h: h.close / h.ema(26) - 1.0, "close / EMA(close, 26) - 1", settle=ema_memory(26)),
    _factor("ema_50", 49, lambda h: h.close / h.ema(50) - 1.0, "close / EMA(close, 50) - 1", settle=ema_memory(50)),
    _factor("wma_20", 19, lambda h: h.close / weighted_mean(h.close, 20) - 1.0, "close / WMA(close, 20) - 1"),
    _factor(
        "dema_20",
        38,
        lambda h: h.close / (2.0 * h.ema(20) - h.ema_of_ema(20)) - 1.0,
        "close / DEMA(close, 20) - 1; DEMA = 2 EMA - EMA of EMA",
        settle=2 * ema_memory(20),
    ),
    _factor(
        "tema_20", 57, lambda h: h.close / _tema(h) - 1.0, "close / TEMA(close, 20) - 1", settle=3 * ema_memory(20)
    ),
    _factor("macd", 25, _macd, "(EMA(close, 12) - EMA(close, 26)) / close", settle=ema_memory(26)),
    _factor("macd_signal", 33, _macd_signal, "EMA(MACD, 9) / close", settle=MACD_SETTLE),
    _factor(
        "macd_histogram", 33, lambda h: _macd(h) - _macd_signal(h), "(MACD - its signal) / close", settle=MACD_SETTLE
    ),
    _factor(
        "adx", 27, _adx, "ADX(14): Wilder's mean of |+DI - -DI| / (+DI + -DI)", "0..100", settle=2 * DIRECTION_SETTLE
    ),
    _factor("plus_di", 14, lambda h: h.directional(14)[0], "+DI(14)", "0..100", settle=DIRECTION_SETTLE),
    _factor("minus_di", 14, lambda h: h.directional(14)[1], "-DI(14)", "0..100", settle=DIRECTION_SETTLE),
    _factor(
        "aroon_up", 25, lambda h: talib.AROON(h.high, h.low, 25)[1], "Aroon up(25): 100 where the high is new", "0..100"
    ),
    _factor(
        "aroon_down",
        25,
        lambda h: talib.AROON(h.high, h.low, 25)[0],
        "Aroon down(25): 100 where the low is new",
        "0..100",
    ),
    _factor(
        "linear_slope_14",
        13,
        lambda h: slope(h.close, 14) / h.close,
        "slope of the line fitted to 14 closes / close",
    ),
    _factor(
        "efficiency_20",
        20,
        _efficiency,
        "|close - close 20 ago| / sum of |steps|: Kaufman's efficiency ratio; 0 without movement",
        "ratio",
    ),
)
"""To add a factor, add a line."""
