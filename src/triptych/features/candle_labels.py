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


def jittered(values: NDArray[np.float64], share: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Candles whose four prices are moved by a share of their own range each, still candles."""
    moved = values.copy()
    prices = moved[:, : CLOSE + 1]
    prices += share * (values[:, HIGH] - values[:, LOW])[:, None] * rng.uniform(-1.0, 1.0, prices.shape)
    moved[:, HIGH] = prices.max(axis=1)
    moved[:, LOW] = prices.min(axis=1)
    return moved


def label_quality(
    values: NDArray[np.float64],
    open_time_ms: NDArray[np.int64],
    timeframe_ms: int,
    *,
    copies: int = 8,
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
    """
    rng = np.random.default_rng(seed)
    total = np.zeros((len(values), len(CANDLE_LABELS)))
    for _ in range(copies):
        total += candle_labels(jittered(values, share, rng), open_time_ms, timeframe_ms)
    return total / copies
