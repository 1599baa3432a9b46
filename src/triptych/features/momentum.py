"""Speed of the price, and where it stands in its recent range."""

from __future__ import annotations

from typing import Final

import talib

from triptych.features._history import History
from triptych.features._rolling import (
    Array,
    ema,
    ema_memory,
    lag,
    mean_absolute_deviation,
    ratio,
    rolling_mean,
    wilder_memory,
)
from triptych.features.factor import Factor, Family

_factor = Family("momentum")


def _stochastic_k(h: History) -> Array:
    return 100.0 * rolling_mean(h.place_in_range(14), 3)


def _stochastic_rsi(h: History) -> Array:
    rsi = h.rsi(14)
    low = talib.MIN(rsi, 14)
    return 100.0 * ratio(rsi - low, talib.MAX(rsi, 14) - low, least=1e-6, neutral=0.5)


def _cci(h: History) -> Array:
    price = h.typical_price
    return ratio(price - rolling_mean(price, 20), 0.015 * mean_absolute_deviation(price, 20), least=h.least)


def _trix(h: History) -> Array:
    smooth = ema(ema(h.ema(15), 15), 15)
    return smooth / lag(smooth, 1) - 1.0


def _ultimate(h: History) -> Array:
    return 100.0 * (4.0 * h.share_of_range(7) + 2.0 * h.share_of_range(14) + h.share_of_range(28)) / 7.0


FACTORS: Final[tuple[Factor, ...]] = (
    _factor(
        "rsi_14",
        14,
        lambda h: h.rsi(14),
        "RSI(14), Wilder's; 50 when nothing moves",
        "0..100",
        settle=wilder_memory(14),
    ),
    _factor(
        "rsi_7", 7, lambda h: h.rsi(7), "RSI(7), Wilder's; 50 when nothing moves", "0..100", settle=wilder_memory(7)
    ),
    _factor(
        "stochastic_k",
        15,
        _stochastic_k,
        "slow %K(14, 3): mean of 3 of the close's place in the range of 14; 50 without range",
        "0..100",
    ),
    _factor(
        "stochastic_d", 17, lambda h: rolling_mean(_stochastic_k(h), 3), "slow %D: mean of the last 3 slow %K", "0..100"
    ),
    _factor(
        "stochastic_rsi",
        27,
        _stochastic_rsi,
        "place of RSI(14) in its range of 14; 50 without range",
        "0..100",
        settle=wilder_memory(14) + 13,
    ),
    _factor(
        "williams_r",
        13,
        lambda h: 100.0 * h.place_in_range(14) - 100.0,
        "Williams %R(14): place of the close in the range of 14, from -100 to 0; -50 without range",
        "-100..0",
    ),
    _factor("roc_5", 5, lambda h: h.close / lag(h.close, 5) - 1.0, "close / close 5 ago - 1 (ROC, ROCP)"),
    _factor("roc_20", 20, lambda h: h.close / lag(h.close, 20) - 1.0, "close / close 20 ago - 1"),
    _factor("roc_60", 60, lambda h: h.close / lag(h.close, 60) - 1.0, "close / close 60 ago - 1"),
    _factor(
        "momentum_10",
        14,
        lambda h: ratio(h.close - lag(h.close, 10), h.atr(14), least=h.least),
        "(close - close 10 ago) / ATR(14) (MOM in units of ATR); 0 without range",
        "units of ATR",
        settle=wilder_memory(14),
    ),
    _factor(
        "cci_20",
        19,
        _cci,
        "CCI(20): (typical price - its mean) / (0.015 mean absolute deviation); 0 without deviation",
        "score",
    ),
    _factor("trix_15", 43, _trix, "change of the triple EMA(close, 15)", settle=3 * ema_memory(15) + 1),
    _factor(
        "ultimate",
        28,
        _ultimate,
        "ultimate oscillator(7, 14, 28): buying pressure / true range; 50 without range",
        "0..100",
    ),
    _factor(
        "balance_of_power",
        0,
        lambda h: ratio(h.close - h.open, h.high - h.low, least=h.least),
        "(close - open) / (high - low); 0 without range",
        "ratio",
    ),
    _factor(
        "cmo_20",
        20,
        lambda h: 2.0 * h.rsi(20) - 100.0,
        "CMO(20) as TA-Lib smooths it: 2 RSI(20) - 100",
        "-100..100",
        settle=wilder_memory(20),
    ),
    _factor(
        "ppo", 25, lambda h: h.sma(12) / h.sma(26) - 1.0, "SMA(close, 12) / SMA(close, 26) - 1 (TA-Lib's PPO / 100)"
    ),
)
"""To add a factor, add a line."""
