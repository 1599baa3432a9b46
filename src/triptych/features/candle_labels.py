"""TA-Lib's candle patterns as labels: rising and falling apart, and how firmly each stands."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLOSE, HIGH, LOW
from triptych.features._history import History
from triptych.features.patterns import PATTERNS
from triptych.features.registry import describe

SIDES: Final = ("up", "down")
CANDLE_LABELS: Final = tuple(f"{name}_{side}" for name in PATTERNS for side in SIDES)
"""Each pattern's name with `_up` (above 0 in TA-Lib) or `_down` (below 0)."""
_GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
"""SplitMix64's step: two to the 64th over the golden ratio, odd."""


def candle_labels(values: NDArray[np.float64], open_time_ms: NDArray[np.int64], timeframe_ms: int) -> NDArray[np.bool_]:
    """Which patterns end with each candle, bool of shape (n_candles, 122), in the order of `CANDLE_LABELS`.

    Args:
        values: candles of shape (n_candles, 5).
        open_time_ms: their open times, UTC milliseconds.
        timeframe_ms: length of a candle.

    A candle's labels depend on candles up to its own. Before a pattern's lookback there is none.
    """
    history = History(np.asarray(values, dtype=np.float64), open_time_ms, timeframe_ms)
    found = np.stack([describe(name).compute(history) for name in PATTERNS], axis=1)
    return np.stack((found > 0, found < 0), axis=2).reshape(len(values), len(CANDLE_LABELS))


def jittered(
    values: NDArray[np.float64], open_time_ms: NDArray[np.int64], share: float, *, seed: int, copy: int
) -> NDArray[np.float64]:
    """Candles whose four prices are moved by a share of their own range each, still candles.

    Args:
        values, open_time_ms: candles of shape (n_candles, 5) and their open times.
        share: most that a price is moved, as a share of its candle's range.
        seed, copy: which of the changed copies; each is another.

    How a candle is moved depends on its own open time, seed and copy, not on the candles around it.
    """
    moved = values.copy()
    prices = moved[:, : CLOSE + 1]
    moves = _uniform(open_time_ms, seed, first=copy * prices.shape[1], count=prices.shape[1])
    prices += share * (values[:, HIGH] - values[:, LOW])[:, None] * (2.0 * moves - 1.0)
    moved[:, HIGH] = prices.max(axis=1)
    moved[:, LOW] = prices.min(axis=1)
    return moved


def label_quality(
    values: NDArray[np.float64],
    open_time_ms: NDArray[np.int64],
    timeframe_ms: int,
    *,
    copies: int = 32,
    share: float = 0.02,
    seed: int = 0,
) -> NDArray[np.float64]:
    """How firmly each pattern stands: the share of slightly changed copies of the candles in which it is still found.

    Args:
        values, open_time_ms, timeframe_ms: as in `candle_labels`.
        copies: how many copies.
        share: most that a price is moved, as a share of its candle's range.
        seed: of the changes.

    Returns:
        float64 of shape (n_candles, 122), from 0 to 1; also where the candles themselves show no pattern.

    A candle's qualities depend on candles up to its own, and not on how many stand before those that TA-Lib looks at.
    """
    total = np.zeros((len(values), len(CANDLE_LABELS)))
    for copy in range(copies):
        moved = jittered(values, open_time_ms, share, seed=seed, copy=copy)
        total += candle_labels(moved, open_time_ms, timeframe_ms)
    return total / copies


def _uniform(keys: NDArray[np.int64], seed: int, *, first: int, count: int) -> NDArray[np.float64]:
    """Numbers `first` .. `first` + `count` - 1 of a stream of its own for each key, from 0 to 1, shape (n, count).

    The streams are SplitMix64's (Steele, Lea and Flood, OOPSLA 2014), whose n-th number needs none of those before it.
    """
    state = _mixed(_mixed(keys.astype(np.uint64) + _GAMMA) + np.array([seed % 2**64], dtype=np.uint64))
    steps = _GAMMA * np.arange(first + 1, first + count + 1, dtype=np.uint64)
    bits = _mixed(state[:, None] + steps) >> np.uint64(11)
    return bits.astype(np.float64) * 2.0**-53


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
