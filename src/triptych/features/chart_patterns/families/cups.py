"""Cup and handle: a rounded bottom between two rims at one price, then a small dip, no deeper than a share of the cup.

After O'Neil, How to Make Money in Stocks (1988); the rounded bottom is asked for by a parabola that fits the closes
better than a V does, so that the definition needs no eye.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from triptych.features.chart_patterns.config import Config
from triptych.features.chart_patterns.skeleton import Found, Skeleton, closeness

SOURCES = ("zigzag",)
LONGEST_HANDLE = 0.6
"""Greatest length of the handle as a share of the cup's."""


def find(skeleton: Skeleton, config: Config) -> Iterator[Found]:
    """The pattern whose handle's low is the last extremum."""
    last = len(skeleton) - 1
    if last < 3 or skeleton.last_is_top:
        return
    right, low = last - 1, last
    rim = skeleton.price[right]
    allowed = config.tolerance * skeleton.unit
    bottom = right - 1
    for left in range(right - 2, -1, -2):
        if skeleton.price[left + 1] < skeleton.price[bottom]:
            bottom = left + 1
        length = skeleton.index[right] - skeleton.index[left]
        if length > config.longest:
            return
        off = abs(skeleton.price[left] - rim) / 2.0 / allowed
        if off <= 1.0 and length >= config.cup_length:
            round_ = _roundness(skeleton, left, right, config)
            depth = min(skeleton.price[left], rim) - skeleton.price[bottom]
            handle = (rim - skeleton.price[low]) / depth
            brief = skeleton.index[low] - skeleton.index[right] <= LONGEST_HANDLE * length
            if brief and handle <= config.handle and round_ is not None:
                yield Found(
                    pattern="cup_and_handle",
                    points=(left, bottom, right, low),
                    closeness=closeness(off, handle / config.handle, 1.0 - round_),
                )
                return
        if skeleton.price[left] > rim + 2.0 * allowed:
            return


def _roundness(skeleton: Skeleton, left: int, right: int, config: Config) -> float | None:
    """R² of the parabola through the cup; None where it is not round, opens downwards or fits worse than a V."""
    close = skeleton.candles.close(skeleton.index[left], skeleton.index[right] + 1)
    x = np.linspace(-1.0, 1.0, len(close))
    round_, curve = _explained(close, x * x)
    sharp, _ = _explained(close, np.abs(x))
    return round_ if curve > 0 and round_ >= max(config.roundness, sharp) else None


def _explained(y: NDArray[np.float64], shape: NDArray[np.float64]) -> tuple[float, float]:
    """R² and coefficient of `shape` in a regression of `y` on it, a constant and a line."""
    x = np.linspace(-1.0, 1.0, len(y))
    columns = np.column_stack([np.ones(len(y)), x, shape])
    solution = np.linalg.solve(columns.T @ columns, columns.T @ y)
    left_over = y - columns @ solution
    spread = float(((y - y.mean()) ** 2).sum())
    return (1.0 - float(left_over @ left_over) / spread if spread > 0 else 0.0), float(solution[2])
