"""Made markets whose switches are known: one as a hidden Markov model supposes, one that favours none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries, Instrument, Timeframe

STAY = 0.995
"""Probability that a regime of the chain stays for another candle: it lasts 200 on average."""
LASTS = (80, 321)
"""Candles that a regime of the clustered market lasts, evenly drawn: 200 on average."""
LEVELS = (0.5, 2.5)
"""Least and greatest volatility of its regimes, evenly drawn by logarithm."""
APART = 1.6
"""Ratio of two levels in a row, at the least."""
DRIFTS = (-0.2, 0.0, 0.2)
"""Of its regimes, in standard deviations of the same regime."""
SHOCK, PAST, MOST = 0.08, 0.87, 25.0
"""GARCH(1, 1) inside a regime: weights of the last squared shock, cut at so many variances, and of the variance."""
ONE_MOVE = 0.002
"""Return of one standard deviation."""
MINUTES_15 = 900_000


@dataclass(frozen=True, kw_only=True)
class Market:
    """Returns in standard deviations of shape (n,), and the positions at which they switch."""

    returns: NDArray[np.float64]
    switches: NDArray[np.int64]


def chain(n: int, seed: int) -> Market:
    """Three regimes (calm, falling, wild) that follow one another by a Markov chain."""
    rng = np.random.default_rng(seed)
    state = np.zeros(n, dtype=np.int64)
    for t in range(1, n):
        stays = rng.uniform() < STAY
        state[t] = state[t - 1] if stays else (state[t - 1] + rng.integers(1, 3)) % 3
    shocks = rng.standard_t(5, n) / np.sqrt(5.0 / 3.0)
    returns = np.array([0.05, -0.15, 0.0])[state] + np.array([0.7, 1.2, 2.2])[state] * shocks
    return Market(returns=returns, switches=np.flatnonzero(np.diff(state)) + 1)


def clustered(n: int, seed: int) -> Market:
    """Regimes of any level; a switch is one of volatility, of drift, or of both. Student's t with 4 degrees, GARCH."""
    rng = np.random.default_rng(seed)
    level, drift, switches = np.zeros(n), np.zeros(n), []
    at, now, tends = 0, 0.0, 0.0
    while at < n:
        if at:
            switches.append(at)
            kind = rng.integers(3)
            before = now
            while kind != 1 and abs(now - before) < np.log(APART):
                now = rng.uniform(*np.log(LEVELS))
            if kind != 0:
                tends = rng.choice([one for one in DRIFTS if one != tends])
        lasts = int(rng.integers(*LASTS))
        level[at : at + lasts], drift[at : at + lasts] = now, tends
        at += lasts
    shocks, variance = rng.standard_t(4, n) / np.sqrt(2.0), 1.0
    for t in range(n):
        shocks[t] *= np.sqrt(variance)
        variance = 1.0 - SHOCK - PAST + SHOCK * min(shocks[t] ** 2, MOST) + PAST * variance
    return Market(returns=np.exp(level) * (shocks + drift), switches=np.array(switches))


MADE: Final[dict[str, Callable[[int, int], Market]]] = {"chain": chain, "clustered": clustered}


def candles_of(market: Market) -> CandleSeries:
    """The market as candles without shadows, their volume drawn evenly by logarithm and told apart by nothing."""
    close = 100.0 * np.exp(np.cumsum(ONE_MOVE * market.returns))
    opens = np.r_[100.0, close[:-1]]
    volume = np.random.default_rng(len(close)).lognormal(3.0, 0.3, len(close))
    return CandleSeries(
        instrument=Instrument(symbol="MADE"),
        timeframe=Timeframe(MINUTES_15),
        open_time_ms=np.arange(len(close), dtype=np.int64) * MINUTES_15,
        values=np.column_stack((opens, np.maximum(opens, close), np.minimum(opens, close), close, volume)),
    )
