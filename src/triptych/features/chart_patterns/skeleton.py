"""Alternating extrema of a price, as they were known at one candle: what pattern families are asked about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from triptych.features.chart_patterns.recent import RecentCandles


@dataclass(frozen=True, kw_only=True, slots=True)
class Skeleton:
    """Extrema in time order, tops and bottoms by turns.

    Attributes:
        source: who found them: the kernel of Lo, Mamaysky and Wang, or a zigzag.
        index: positions of their candles.
        price: their prices.
        last_is_top: whether the last one is a top.
        known_at: the candle at whose close they are known.
        unit: what tolerances are multiplied by, a price.
        atr: average true range at `known_at`, a price.
        candles: the history up to `known_at`.
    """

    source: Literal["kernel", "zigzag"]
    index: tuple[int, ...]
    price: tuple[float, ...]
    last_is_top: bool
    known_at: int
    unit: float
    atr: float
    candles: RecentCandles

    def __len__(self) -> int:
        return len(self.index)

    def is_top(self, position: int) -> bool:
        """Whether the extremum at a position (from 0) is a top."""
        return ((len(self.index) - 1 - position) % 2 == 0) == self.last_is_top

    def tail(self, count: int) -> range:
        """Positions of the last `count` extrema."""
        return range(len(self.index) - count, len(self.index))


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a family recognised: the pattern, positions of its extrema in the skeleton, closeness to exact (0 to 1)."""

    pattern: str
    points: tuple[int, ...]
    closeness: float


def closeness(*errors: float) -> float:
    """From errors that are 0 when exact and 1 at the edge of the tolerance."""
    return max(0.0, 1.0 - sum(min(abs(error), 1.0) for error in errors) / len(errors))
