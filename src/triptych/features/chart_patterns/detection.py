"""A chart pattern that was found: where, how good, and since which candle it could be known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PATTERNS: Final[dict[str, int]] = {
    "head_and_shoulders": -1,
    "inverse_head_and_shoulders": 1,
    "double_top": -1,
    "double_bottom": 1,
    "ascending_triangle": 1,
    "descending_triangle": -1,
    "symmetrical_triangle": 0,
    "bull_flag": 1,
    "bear_flag": -1,
    "bull_pennant": 1,
    "bear_pennant": -1,
    "rising_wedge": -1,
    "falling_wedge": 1,
    "rectangle": 0,
    "cup_and_handle": 1,
}
"""Every chart pattern and the side that textbooks give it: 1 buy, -1 sell, 0 either way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyPoint:
    """A turning point: position of its candle in the history, and price."""

    index: int
    price: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Detection:
    """One pattern.

    Attributes:
        pattern: a name of `PATTERNS`.
        side: 1 bullish, -1 bearish, 0 either.
        start, end: first and last candle of the box, by position in the history.
        low, high: lowest and highest price inside the box.
        known_at: the candle at whose close the pattern could first be named; never before `end`.
        score: from 0 to 1 (exact): of rules see `quality`, of a network its probability, of a planted one its quality.
        key_points: turning points in time order, the first at `start`, the last at `end`.
    """

    pattern: str
    side: int
    start: int
    end: int
    low: float
    high: float
    known_at: int
    score: float
    key_points: tuple[KeyPoint, ...]


def time_overlap(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Intersection over union of two spans of candles, ends included."""
    shared = min(first[1], second[1]) - max(first[0], second[0]) + 1
    if shared <= 0:
        return 0.0
    return shared / (first[1] - first[0] + second[1] - second[0] + 2 - shared)


def box_overlap(first: Detection, second: Detection) -> float:
    """Intersection over union of two boxes in time (candles, ends included) and price."""
    width = min(first.end, second.end) - max(first.start, second.start) + 1
    height = min(first.high, second.high) - max(first.low, second.low)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(first) + _area(second) - shared)


def _area(box: Detection) -> float:
    return (box.end - box.start + 1) * (box.high - box.low)
