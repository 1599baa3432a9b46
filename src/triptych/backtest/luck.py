"""How much of a result luck can explain: intervals by block bootstrap and deflated Sharpe ratios.

The TIMING return is the strategy's return minus its mean exposure times the market's return (buy-and-hold): what was
earned by being in the market at the right times, after costs. Half invested at all times in a market that doubles
earns much and times nothing; its timing return is zero less costs. With several instruments the market is their
basket, and choosing among them counts as timing. Exposure is known at candle closes only: a position opened and stopped
out within one candle is not seen by it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.backtest.bootstrap import (
    bootstrap_means,
    effective_observations,
    largest_block,
    optimal_block_length,
    percentile_bounds,
)
from triptych.backtest.paths import benchmark_path, exposure, strategy_path
from triptych.backtest.result import BacktestResult
from triptych.backtest.sharpe import (
    SharpeMoments,
    deflated_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_moments,
)
from triptych.domain import Config as BaseConfig

LEVEL = 0.95
"""Two-sided level of every interval; its lower end is a one-sided bound at 97.5 %."""
LEAST_RETURN = -1.0 + 1e-12
"""Returns are taken as at least this where logarithms are needed: ruin is a loss of all, not of infinitely much."""


class Config(BaseConfig):
    """How luck is judged."""

    trials: int = Field(
        default=1,
        ge=1,
        description="Number of strategies tried on this data before this one was chosen, itself included. "
        "Every model, threshold or setting compared by its backtest counts.",
    )
    replicates: int = Field(default=2000, ge=200, le=100_000, description="Resampled histories per bootstrap interval.")


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Luck:
    """What luck could have done.

    Attributes:
        candles: returns that were resampled (those up to ruin).
        effective_observations: independent returns that would leave as large an error.
        trials: declared number of strategies tried.
        block_length: candles in a bootstrap block.
        replicates, seed: of the bootstrap.
        mean_return: mean return per candle times candles per year (arithmetic, a fraction per year).
        timing_return: timing return, in the same unit.
        sharpe: Sharpe ratio per year.
        total_return: compounded return of the whole period.
        probabilistic_sharpe: probability that the true Sharpe ratio is above zero, for a single trial.
        deflated_sharpe: the same, after `trials` trials.
        deflated_timing_sharpe: the same, for the Sharpe ratio of the timing return.
        probability_of_luck: probability that the best of `trials` worthless strategies does at least this well;
            1 - the smaller of the two deflated ratios, and 1 where they do not exist.
        minimum_track_record_candles, minimum_track_record_years: length from which on this Sharpe ratio would be above
            zero with probability 0.95, for a single trial; None when it is not positive.

    Figures that do not exist (a flat curve, fewer than three candles) are None.
    """

    candles: int
    effective_observations: float
    trials: int
    block_length: int
    replicates: int
    seed: int
    mean_return: Interval | None
    timing_return: Interval | None
    sharpe: Interval | None
    total_return: Interval | None
    probabilistic_sharpe: float | None
    deflated_sharpe: float | None
    deflated_timing_sharpe: float | None
    probability_of_luck: float
    minimum_track_record_candles: float | None
    minimum_track_record_years: float | None

    def to_dict(self) -> dict[str, Any]:
        """Nested plain dictionaries, ready for JSON."""
        return asdict(self)


def assess(
    result: BacktestResult,
    config: Config | None = None,
    *,
    seed: int = 0,
    minimum_block: int | None = None,
    trial_sharpe_variance: float | None = None,
) -> Luck:
    """Assess a backtest.

    Args:
        result: the backtest.
        config: trials and replicates.
        seed: of the bootstrap; the same seed gives the same figures.
        minimum_block: least block length in candles, such as the label horizon; by default the mean holding time of
            the trades. Never less than the cube root of the series' length nor more than its `largest_block`.
        trial_sharpe_variance: variance of the Sharpe ratios per candle of all trials, where they were kept.

    Raises NotEnoughData and DataError as `statistics.performance` does.
    """
    config = config or Config()
    own = strategy_path(result)
    returns = own.returns
    n = len(returns)
    market = np.zeros(n)
    held = benchmark_path(result).returns[:n]
    market[: len(held)] = held
    exposed = exposure(result)[:n]
    timing = returns - exposed.mean() * market
    block = _block_length(returns, timing, result, minimum_block)
    moments, timing_moments = sharpe_moments(returns), sharpe_moments(timing)
    observations = effective_observations(returns, block)
    deflated = _deflated(moments, observations, config.trials, trial_sharpe_variance)
    deflated_timing = _deflated(
        timing_moments, effective_observations(timing, block), config.trials, trial_sharpe_variance
    )
    surviving = 0.0 if deflated is None or deflated_timing is None else min(deflated, deflated_timing)
    record = minimum_track_record(moments) if moments else None
    intervals: dict[str, Interval | None] = dict.fromkeys(("mean_return", "timing_return", "sharpe", "total_return"))
    if moments:
        intervals |= _intervals(returns, market, exposed, block, config.replicates, seed, result.candles_per_year)
    return Luck(
        candles=n,
        effective_observations=observations,
        trials=config.trials,
        block_length=block,
        replicates=config.replicates,
        seed=seed,
        **intervals,
        probabilistic_sharpe=probabilistic_sharpe(moments, observations) if moments else None,
        deflated_sharpe=deflated,
        deflated_timing_sharpe=deflated_timing,
        probability_of_luck=1.0 - surviving,
        minimum_track_record_candles=record,
        minimum_track_record_years=None if record is None else record / result.candles_per_year,
    )


def _block_length(
    returns: NDArray[np.float64], timing: NDArray[np.float64], result: BacktestResult, minimum: int | None
) -> int:
    if minimum is None:
        held = result.trades["candles_held"].mean() if result.trades.height else 1.0
        minimum = round(float(held))  # type: ignore[arg-type]  # the mean of integers is a float
    # returns are hardly correlated, their size is: n^(1/3) keeps bursts of volatility together
    floor = max(float(minimum), len(returns) ** (1 / 3))
    best = max(optimal_block_length(returns), optimal_block_length(timing), floor)
    return int(min(round(best), largest_block(len(returns))))


def _deflated(
    moments: SharpeMoments | None, observations: float, trials: int, trial_variance: float | None
) -> float | None:
    return None if moments is None else deflated_sharpe(moments, observations, trials, trial_variance)


def _intervals(
    returns: NDArray[np.float64],
    market: NDArray[np.float64],
    exposed: NDArray[np.float64],
    block: int,
    replicates: int,
    seed: int,
    candles_per_year: float,
) -> dict[str, Interval]:
    """The four intervals by name. Of a strategy's returns, the market's and the exposure, each of shape (n,)."""
    n = len(returns)
    growth = np.log1p(np.maximum(returns, LEAST_RETURN))
    columns = np.column_stack([returns, (returns - returns.mean()) ** 2, growth, exposed, market])
    drawn = bootstrap_means(columns, block_length=block, replicates=replicates, generator=np.random.default_rng(seed))

    def statistics(means: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        mean, square, log_growth, exposed_mean, market_mean = means.T
        variance = np.maximum(square - (mean - returns.mean()) ** 2, 1e-300) * n / (n - 1)
        return {
            "mean_return": mean * candles_per_year,
            "timing_return": (mean - exposed_mean * market_mean) * candles_per_year,
            "sharpe": mean / np.sqrt(variance) * np.sqrt(candles_per_year),
            "total_return": log_growth * n,
        }

    estimates, samples = statistics(columns.mean(axis=0)[None]), statistics(drawn)
    intervals = {}
    for name, sample in samples.items():
        value = float(estimates[name][0])
        low, high = percentile_bounds(sample, value=value, blocks=n / block, level=LEVEL)
        if name == "total_return":  # bounds are found on logarithms, where they are near symmetric
            value, low, high = (float(np.expm1(min(x, 700.0))) for x in (value, low, high))
        intervals[name] = Interval(value=value, low=low, high=high)
    return intervals
