"""States of the market by rules: three measures, and the five regimes that they are cut into.

Over the last `SHORT` candles against the last `LONG`: a trend is a move that is large for its own volatility,
volatility is high when it is far above its own past, liquidity is low when the volume is far below its own. Bull, bear
and sideways exclude one another; high volatility and low liquidity may stand beside any of them.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.features._history import History
from triptych.features._rolling import Array, lag, ratio, rolling_deviation, rolling_mean
from triptych.features.factor import Factor, Family

_factor = Family("regime")
SHORT, LONG = 48, 240
AHEAD: Final = SHORT // 4
"""Candles after which a filter is to tell the regime: so many of the window are still to come."""
TREND = 1.0
"""Move of `SHORT` candles, in standard deviations of such a move, from which on it is a trend."""
WILD = 1.5
"""Volatility of `SHORT` candles as a multiple of that of `LONG` from which on it is high."""
THIN = 0.6
"""Volume of `SHORT` candles as a share of that of `LONG` below which liquidity is low."""
FAR = 8.0
"""Measures are cut to -FAR .. FAR: logarithms of nothing would be endless."""


ANCHORS: Final[dict[str, tuple[int, float]]] = {
    "bull": (0, 1.25 * TREND),
    "bear": (0, -1.25 * TREND),
    "high_volatility": (1, 1.25 * math.log(WILD)),
    "low_liquidity": (2, 1.25 * math.log(THIN)),
}
"""A typical candle of each regime by its rule: column of the three measures, and value, a quarter beyond the bound."""


def rules_hold(measures: Array) -> NDArray[np.bool_]:
    """Where the rule of each regime holds, bool of shape (n, 5) in the order of `REGIMES`.

    Args:
        measures: trend, volatility and liquidity of shape (n, 3); nothing holds where one is NaN.
    """
    trend, volatility, liquidity = measures.T
    return np.stack(
        (
            trend >= TREND,
            trend <= -TREND,
            np.abs(trend) < TREND,
            volatility >= math.log(WILD),
            liquidity <= math.log(THIN),
        ),
        axis=1,
    )


def single_regime(measures: Array) -> NDArray[np.int64]:
    """One regime a candle by the rules, by its number in `REGIMES`, shape (n,); -1 where a measure is NaN.

    Where several hold: high volatility before low liquidity, and both before the trends.
    """
    holds = rules_hold(measures)
    found: NDArray[np.int64] = holds[:, :3].argmax(axis=1).astype(np.int64)
    found[holds[:, 4]] = 4
    found[holds[:, 3]] = 3
    found[~np.isfinite(measures).all(axis=1)] = -1
    return found


def _trend(h: History, last: int = SHORT) -> Array:
    moved = np.log(h.close / lag(h.close, last))
    usual = rolling_deviation(h.log_return, LONG) * math.sqrt(SHORT)
    return np.clip(ratio(moved, usual, least=1e-12), -FAR, FAR)


def _volatility(h: History, last: int = SHORT) -> Array:
    now, usual = rolling_deviation(h.log_return, last), rolling_deviation(h.log_return, LONG)
    return np.clip(np.log(np.maximum(ratio(now, usual, least=1e-12, neutral=1.0), math.exp(-FAR))), -FAR, FAR)


def _liquidity(h: History, last: int = SHORT) -> Array:
    now, usual = rolling_mean(h.volume, last), rolling_mean(h.volume, LONG)
    return np.clip(np.log(np.maximum(ratio(now, usual, neutral=1.0), math.exp(-FAR))), -FAR, FAR)


def known_part(values: Array, open_time_ms: NDArray[np.int64], timeframe_ms: int) -> Array:
    """Trend, volatility and liquidity of that part of a window `AHEAD` candles later that is known already.

    The move of its candles counts in standard deviations of the whole window's, so that the rest only adds to it.

    Args:
        values: candles of shape (n_candles, 5).
        open_time_ms: shape (n_candles,).
        timeframe_ms: length of a candle.

    Returns:
        Shape (n_candles, 3), NaN in the first `LONG` rows.
    """
    h = History(values, open_time_ms, timeframe_ms)
    last = SHORT - AHEAD
    found: Array = np.stack((_trend(h, last), _volatility(h, last), _liquidity(h, last)), axis=1)
    found[:LONG] = np.nan
    return found


def _where(measure: Array, holds: NDArray[np.bool_]) -> Array:
    """1 where a rule holds, 0 where it does not, NaN where its measure is not known yet."""
    return np.where(np.isnan(measure), np.nan, holds.astype(np.float64))


FACTORS: Final[tuple[Factor, ...]] = (
    _factor("regime_trend", LONG, _trend, f"move of {SHORT} candles / its deviation by the last {LONG}", "score"),
    _factor("regime_volatility", LONG, _volatility, f"log of the volatility of {SHORT} candles / of {LONG}", "ratio"),
    _factor(
        "regime_liquidity", LONG - 1, _liquidity, f"log of the mean volume of {SHORT} candles / of {LONG}", "ratio"
    ),
    _factor("bull", LONG, lambda h: _where(_trend(h), _trend(h) >= TREND), f"1 if regime_trend >= {TREND:g}", "score"),
    _factor(
        "bear", LONG, lambda h: _where(_trend(h), _trend(h) <= -TREND), f"1 if regime_trend <= -{TREND:g}", "score"
    ),
    _factor(
        "sideways",
        LONG,
        lambda h: _where(_trend(h), np.abs(_trend(h)) < TREND),
        f"1 if regime_trend is within {TREND:g} of 0",
        "score",
    ),
    _factor(
        "high_volatility",
        LONG,
        lambda h: _where(_volatility(h), _volatility(h) >= math.log(WILD)),
        f"1 if the volatility of {SHORT} candles is at least {WILD:g} times that of {LONG}",
        "score",
    ),
    _factor(
        "low_liquidity",
        LONG - 1,
        lambda h: _where(_liquidity(h), _liquidity(h) <= math.log(THIN)),
        f"1 if the mean volume of {SHORT} candles is at most {THIN:g} times that of {LONG}",
        "score",
    ),
)
"""To add a factor, add a line."""
