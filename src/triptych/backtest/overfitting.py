"""Is the best of many strategies still good where it was not chosen? The probability of backtest overfitting.

Bailey, Borwein, López de Prado & Zhu, "The probability of backtest overfitting" (Journal of Computational Finance
20(4), 2017): combinatorially symmetric cross-validation (CSCV). The history is cut into an even number of blocks; every
half of them serves once to choose the best strategy, which is then ranked among all on the other half.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_BLOCKS = 16
"""12,870 halves."""
LEAST_ROWS = 4
"""Returns in a block at least, so that its Sharpe ratio has a meaning."""


@dataclass(frozen=True, kw_only=True)
class Overfitting:
    """What the choice among strategies is worth.

    Attributes:
        probability: share of the halves in which the chosen strategy is not in the better half of all on the other
            half: 0 is a choice that holds, 0.5 one that says nothing.
        probability_of_loss: share in which the chosen strategy loses money, or has a score below zero, on the
            other half.
        slope: of the chosen strategy's Sharpe ratio or score on the other half over that on the half it was chosen on;
            below zero, what looked better was worse. None where all are equal.
        strategies, blocks, halves, rows: what it was computed from; `rows` returns or scored parts a strategy.
    """

    probability: float
    probability_of_loss: float
    slope: float | None
    strategies: int
    blocks: int
    halves: int
    rows: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def probability_of_overfitting(returns: NDArray[np.float64], blocks: int = MOST_BLOCKS) -> Overfitting | None:
    """The probability of backtest overfitting of a choice by Sharpe ratio.

    Args:
        returns: array of shape (n_times, n_strategies): returns of every strategy that was tried, at the same times.
        blocks: even number of blocks, at most 16; fewer where the history is short.

    Returns:
        None with fewer than two strategies that ever earned or lost something, or too few times. A strategy that never
        trades has a ratio of 0; among equals the chosen one takes the mean rank.
    """
    n, count = returns.shape
    if np.count_nonzero(returns.any(axis=0)) < 2:
        return None
    blocks = min(blocks, MOST_BLOCKS, n // LEAST_ROWS) // 2 * 2
    if blocks < 2:
        return None
    rows = n // blocks * blocks
    parts = returns[:rows].reshape(blocks, rows // blocks, count)
    sums, squares = parts.sum(axis=1), (parts**2).sum(axis=1)
    halves = _halves(blocks)
    inside = _sharpe(halves @ sums, halves @ squares, rows // 2)
    outside = _sharpe((1 - halves) @ sums, (1 - halves) @ squares, rows // 2)
    return _judged(inside, outside, blocks=blocks, rows=rows)


def probability_of_overfitting_by_score(
    scores: NDArray[np.float64], weights: NDArray[np.float64], blocks: int = MOST_BLOCKS
) -> Overfitting | None:
    """The same for a choice by any score that is a weighted mean over parts of the history, such as a correlation.

    Args:
        scores: array of shape (n_parts, n_strategies), parts in order of time; higher is better.
        weights: array of shape (n_parts,), above zero: samples in each part.
        blocks: even number of blocks, at most 16. Where there are more parts, neighbours are joined; the oldest part is
            left out where their number is odd and all of them are blocks.

    Returns:
        None with fewer than two strategies or two parts. `rows` counts the parts; a `loss` is a score below zero.
    """
    n, count = scores.shape
    blocks = min(blocks, MOST_BLOCKS, n) // 2 * 2
    if count < 2 or blocks < 2:
        return None
    first = n - blocks if n < MOST_BLOCKS else 0
    starts = first + np.arange(blocks) * (n - first) // blocks
    masses = np.add.reduceat(weights, starts)
    sums = np.add.reduceat(scores * weights[:, None], starts, axis=0)
    halves = _halves(blocks)
    inside = (halves @ sums) / (halves @ masses)[:, None]
    outside = ((1 - halves) @ sums) / ((1 - halves) @ masses)[:, None]
    return _judged(inside, outside, blocks=blocks, rows=n - first)


def _halves(blocks: int) -> NDArray[np.float64]:
    """Every half of the blocks, shape (n_halves, blocks): 1 where a block is in it."""
    chosen = list(combinations(range(blocks), blocks // 2))
    halves = np.zeros((len(chosen), blocks))
    for row, half in enumerate(chosen):
        halves[row, list(half)] = 1.0
    return halves


def _judged(inside: NDArray[np.float64], outside: NDArray[np.float64], *, blocks: int, rows: int) -> Overfitting:
    """What the choice on each half is worth on the other; both of shape (n_halves, n_strategies)."""
    halves, count = inside.shape
    each = np.arange(halves)
    best = inside.argmax(axis=1)
    found = outside[each, best]
    below = (outside < found[:, None]).sum(axis=1)
    equal = (outside == found[:, None]).sum(axis=1)  # itself among them
    share = (below + (equal + 1) / 2) / (count + 1)  # relative rank in (0, 1); the logit is at most 0 where it is 1/2
    spread = inside[each, best]
    deviation = float(np.var(spread))
    slope = None
    if deviation > 0:
        slope = float(np.mean((spread - spread.mean()) * (found - found.mean())) / deviation)
    return Overfitting(
        probability=float(np.mean(share <= 0.5 + 1e-12)),
        probability_of_loss=float(np.mean(found < 0)),
        slope=slope,
        strategies=count,
        blocks=blocks,
        halves=halves,
        rows=rows,
    )


def _sharpe(sums: NDArray[np.float64], squares: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    mean = sums / n
    variance = np.maximum(squares / n - mean**2, 0.0)
    flat = variance <= 1e-18 + 1e-12 * mean**2
    ratio: NDArray[np.float64] = np.where(flat, 0.0, mean / np.sqrt(np.where(flat, 1.0, variance)))
    return ratio
