"""How likely a Sharpe ratio is to be luck: closed formulas on ratios per candle (not annualised).

Bailey & López de Prado, "The Sharpe ratio efficient frontier" (2012): probabilistic Sharpe ratio and minimum track
record length. The same, "The deflated Sharpe ratio" (2014): correction for the number of trials.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.backtest.statistics import standard_deviation


@dataclass(frozen=True, kw_only=True)
class SharpeMoments:
    """What the formulas need of a series of returns. `kurtosis` is 3 for a normal distribution."""

    sharpe: float
    skewness: float
    kurtosis: float

    @property
    def spread(self) -> float:
        """Asymptotic variance of the estimated ratio times (observations - 1); 1 + SR² / 2 for normal returns."""
        # never below zero for moments of real data (kurtosis >= 1 + skewness²); the floor keeps rounding out
        return max(1.0 - self.skewness * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe**2, 1e-12)


def sharpe_moments(returns: NDArray[np.float64]) -> SharpeMoments | None:
    """Moments of returns of shape (n,); None on a flat series or below three values."""
    deviation = standard_deviation(returns)
    if len(returns) < 3 or not deviation:
        return None
    return SharpeMoments(
        sharpe=float(returns.mean()) / deviation,
        skewness=float(_stats().skew(returns)),
        kurtosis=float(_stats().kurtosis(returns, fisher=False)),
    )


def probabilistic_sharpe(moments: SharpeMoments, observations: float, benchmark: float = 0.0) -> float:
    """Probability that the true ratio exceeds `benchmark`, both per candle.

    `observations` is the length of the series, or its effective length when returns depend on one another.
    """
    if observations <= 1:
        return 0.5
    score = (moments.sharpe - benchmark) * math.sqrt((observations - 1.0) / moments.spread)
    return float(_stats().norm.cdf(score))


def expected_best_sharpe(trials: int, variance: float) -> float:
    """The ratio per candle that the best of `trials` worthless strategies is expected to show.

    Args:
        trials: strategies tried, the reported one included; 1 gives 0.
        variance: variance of the ratios between the trials.
    """
    if trials <= 1:
        return 0.0
    first = _stats().norm.ppf(1.0 - 1.0 / trials)
    second = _stats().norm.ppf(1.0 - 1.0 / (trials * math.e))
    return float(math.sqrt(variance) * ((1.0 - np.euler_gamma) * first + np.euler_gamma * second))


def deflated_sharpe(
    moments: SharpeMoments, observations: float, trials: int, trial_variance: float | None = None
) -> float:
    """Probability that the true ratio is above zero although it is the best of `trials`.

    Without the `trial_variance` of the ratios that were tried, that of worthless strategies of the same length is
    taken, 1 / (observations - 1): what the ratios of pure luck scatter by.
    """
    if observations <= 1:
        return 0.5
    variance = 1.0 / (observations - 1.0) if trial_variance is None else trial_variance
    return probabilistic_sharpe(moments, observations, expected_best_sharpe(trials, variance))


def minimum_track_record(moments: SharpeMoments, probability: float = 0.95, benchmark: float = 0.0) -> float | None:
    """Observations after which the ratio would exceed `benchmark` with `probability`; None if it does not exceed it."""
    if moments.sharpe <= benchmark:
        return None
    score = float(_stats().norm.ppf(probability)) / (moments.sharpe - benchmark)
    return 1.0 + moments.spread * score**2


def _stats() -> Any:
    """scipy's; it takes a second to load, which trading need not wait for."""
    from scipy import stats

    return stats
