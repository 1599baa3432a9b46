"""How much more one strategy earned than another over the same candles, and how much of that luck can explain.

Both equity curves are read at the candle closes they have in common. What is resampled is the DIFFERENCE of their log
growth from close to close: whatever moves both strategies alike drops out of it, so its interval is narrower than those
of the two returns beside each other suggest. Blocks are circular (Politis & Romano 1992), of a length found from the
difference itself (Politis & White 2004; Patton, Politis & White 2009), as for every interval of a backtest; drawing the
same blocks for both is the pairing of Ledoit & Wolf (2008, "Robust performance hypothesis testing with the Sharpe
ratio", section 3.2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from triptych.backtest.bootstrap import bootstrap_means, largest_block, optimal_block_length, percentile_bounds
from triptych.backtest.luck import LEAST_RETURN, LEVEL
from triptych.backtest.paths import path

LEAST_CANDLES = 10
"""Growths that two backtests must have in common for a difference with an interval."""


@dataclass(frozen=True, kw_only=True)
class EquityCurve:
    """What a backtest was worth at each candle close.

    Attributes:
        time_ms: close times, UTC ms, rising, int64 of shape (n,).
        equity: quote currency, float64 of shape (n,).
        initial_capital: what it began with.
    """

    time_ms: NDArray[np.int64]
    equity: NDArray[np.float64]
    initial_capital: float


@dataclass(frozen=True, kw_only=True)
class ReturnDifference:
    """Total return of one strategy less that of another, over the same time.

    Attributes:
        value, low, high: fractions of the capital at the beginning: 0.05 is five points of return. The interval (95 %)
            is found for the growth of the one relative to the other, where it is near symmetric, and told as points
            above what the other earned: its ends lie on either side of 0 just where those of the relative growth do.
            Without a resample that differs (both curves are the same) low and high are None.
        ours, theirs: total returns over that time.
        candles: growths that were resampled.
        block_length: candles in a block.
    """

    value: float
    low: float | None
    high: float | None
    ours: float
    theirs: float
    candles: int
    block_length: int


def growth_in_common(curves: Sequence[EquityCurve]) -> list[NDArray[np.float64]] | None:
    """Log growth of each between the closes that all have, float64 of shape (n,); None below `LEAST_CANDLES` of them.

    Where one has longer candles its closes are those in common. A position that was held before the first of them goes
    on; what it earned until then is left out. Ruin is a loss of all, as in `luck`.
    """
    common = reduce(np.intersect1d, (curve.time_ms for curve in curves))
    if len(common) <= LEAST_CANDLES:
        return None
    return [_growth(curve, np.searchsorted(curve.time_ms, common)) for curve in curves]


def return_difference(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], *, minimum_block: int, replicates: int, seed: int
) -> ReturnDifference:
    """The difference of total return with its 95 % interval.

    Args:
        ours, theirs: log growth from close to close, shape (n,), as `growth_in_common` gives it.
        minimum_block: least block length in candles, such as the label horizon.
        replicates, seed: of the bootstrap.
    """
    found = ours - theirs
    relative, level, n = float(found.sum()), float(theirs.sum()), len(found)
    sums, block = resampled_sums(found, minimum_block=minimum_block, replicates=replicates, seed=seed)
    bounds: tuple[float | None, float | None] = (None, None)
    if np.any(found):
        low, high = percentile_bounds(sums, value=relative, blocks=n / block, level=LEVEL)
        bounds = as_points(low, level), as_points(high, level)
    return ReturnDifference(
        value=as_points(relative, level),
        low=bounds[0],
        high=bounds[1],
        ours=math.expm1(float(ours.sum())),
        theirs=math.expm1(level),
        candles=n,
        block_length=block,
    )


def resampled_sums(
    values: NDArray[np.float64], *, minimum_block: int, replicates: int, seed: int
) -> tuple[NDArray[np.float64], int]:
    """Sums of resampled series, shape (replicates,), and the candles in a block; arguments as `return_difference`."""
    n = len(values)
    # growth is hardly correlated, its size is: n^(1/3) keeps bursts of volatility together
    best = max(float(minimum_block), n ** (1 / 3), optimal_block_length(values))
    block = int(min(round(best), largest_block(n)))
    drawn = bootstrap_means(
        values[:, None], block_length=block, replicates=replicates, generator=np.random.default_rng(seed)
    )
    return drawn[:, 0] * n, block


def as_points(relative: float, theirs: float) -> float:
    """Relative log growth as points of return above a strategy whose log growth was `theirs`."""
    return math.exp(theirs) * math.expm1(min(relative, 700.0))


def _growth(curve: EquityCurve, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    levels = path(curve.equity, curve.initial_capital).equity[1:][rows]
    least = (1.0 + LEAST_RETURN) * curve.initial_capital
    growth: NDArray[np.float64] = np.diff(np.log(np.maximum(levels, least)))
    return growth
