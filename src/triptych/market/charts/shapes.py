"""Chart patterns as exact turning points, and near misses that only look like them.

A shape lives in a unit box: time from 0 to 1, prices in heights of the pattern. Its blemishes are drawn from -1 to 1,
where 1 is the most that still deserves the name; quality is 1 less their mean size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Turning points of one pattern.

    Attributes:
        pattern: its name; empty for a near miss.
        like: what it looks like; the name itself for a real one.
        time: rising from 0 to 1.
        price: of each turning point, in heights; the first is followed by the opposite kind, and so on by turns.
        lead_in: height from which the price comes before the first turning point, on the other side of it.
        quality: from 0 to 1.
        curved: positions of legs that are drawn as half a parabola, level at its lower end.
    """

    pattern: str
    like: str
    time: tuple[float, ...]
    price: tuple[float, ...]
    lead_in: float
    quality: float
    curved: tuple[int, ...] = ()


class Blemishes:
    """Draws departures from the exact shape and remembers how large they were."""

    def __init__(self, rng: np.random.Generator, largest: float) -> None:
        self.rng = rng
        self._largest = largest
        self._drawn: list[float] = []

    def __call__(self, most: float) -> float:
        """A departure of at most `most` either way."""
        blemish = self._largest * float(self.rng.uniform(-1.0, 1.0))
        self._drawn.append(abs(blemish))
        return blemish * most

    @property
    def quality(self) -> float:
        """1 less the mean size of what was drawn."""
        return 1.0 - sum(self._drawn) / max(len(self._drawn), 1)


def _spaced(b: Blemishes, legs: int) -> tuple[float, ...]:
    """Times of `legs` + 1 turning points, equal steps with blemishes."""
    steps = np.array([1.0 + b(0.35) for _ in range(legs)])
    return (0.0, *(np.cumsum(steps) / steps.sum()).tolist()[:-1], 1.0)


def _head_and_shoulders(b: Blemishes, broken: bool) -> Shape:
    shoulder = float(b.rng.uniform(0.45, 0.7))
    off = float(b.rng.uniform(0.3, 0.4)) * float(b.rng.choice([-1, 1])) if broken else b(0.05)
    neck = b(0.05)
    price = (shoulder + off, neck, 1.0, -neck, shoulder - off)
    return _shape("head_and_shoulders", _spaced(b, 4), price, -0.25, b, broken)


def _double_top(b: Blemishes, broken: bool) -> Shape:
    off = float(b.rng.uniform(0.22, 0.4)) * float(b.rng.choice([-1, 1])) if broken else b(0.04)
    return _shape("double_top", _spaced(b, 2), (1.0 + off, 0.0, 1.0 - off), -0.3, b, broken)


def _lines(name: str, upper: tuple[float, float], lower: tuple[float, float], b: Blemishes, broken: bool) -> Shape:
    """Touches of two borders by turns; a broken one has a touch far off its border."""
    touches = int(b.rng.integers(5, 8))
    top_first = bool(b.rng.integers(2))
    time = _spaced(b, touches - 1)
    price = []
    for i, at in enumerate(time):
        first, last = upper if (i % 2 == 0) == top_first else lower
        price.append(first + (last - first) * at + b(0.035))
    if broken:
        middle = int(b.rng.integers(1, touches - 1))
        outward = 1.0 if (middle % 2 == 0) == top_first else -1.0
        price[middle] += outward * float(b.rng.uniform(0.4, 0.6))
    return _shape(name, time, tuple(price), -0.2 if top_first else 1.2, b, broken)


def _ascending_triangle(b: Blemishes, broken: bool) -> Shape:
    return _lines("ascending_triangle", (1.0, 1.0), (0.0, float(b.rng.uniform(0.6, 0.75))), b, broken)


def _symmetrical_triangle(b: Blemishes, broken: bool) -> Shape:
    left = float(b.rng.uniform(0.25, 0.4))
    return _lines("symmetrical_triangle", (1.0, 0.5 + left / 2), (0.0, 0.5 - left / 2), b, broken)


def _rising_wedge(b: Blemishes, broken: bool) -> Shape:
    rise = float(b.rng.uniform(0.5, 0.9))
    return _lines("rising_wedge", (1.0, 1.0 + rise), (0.0, float(b.rng.uniform(0.6, 0.75)) + rise), b, broken)


def _rectangle(b: Blemishes, broken: bool) -> Shape:
    return _lines("rectangle", (1.0, 1.0), (0.0, 0.0), b, broken)


def _pole_and_rest(b: Blemishes, name: str, rest: tuple[float, ...], broken: bool) -> Shape:
    pole = float(b.rng.uniform(0.2, 0.35))
    inside = np.array(_spaced(b, len(rest)))
    time = (0.0, *(pole + (1.0 - pole) * inside).tolist())
    price = np.array([0.0, 1.0, *rest])
    if broken:  # the rest takes all of the pole back: no rest at all
        price[2::2] -= float(b.rng.uniform(0.5, 0.7))
    return _shape(name, time, tuple(price.tolist()), 0.15, b, broken)


def _bull_flag(b: Blemishes, broken: bool) -> Shape:
    width, fall = float(b.rng.uniform(0.2, 0.28)), float(b.rng.uniform(0.1, 0.2))
    steps = 4
    rest = tuple(1.0 - fall * (i + 1) / steps - (width if i % 2 == 0 else 0.0) + b(0.02) for i in range(steps))
    return _pole_and_rest(b, "bull_flag", rest[: 3 + int(b.rng.integers(2))], broken)


def _bull_pennant(b: Blemishes, broken: bool) -> Shape:
    lowest = float(b.rng.uniform(0.6, 0.7))
    ends = 0.5 * (1.0 + lowest)
    half = ends - lowest
    share = (0.85, 0.65, 0.45, 0.28)
    rest = tuple(ends + (-1.0 if i % 2 == 0 else 1.0) * half * share[i] + b(0.015) for i in range(4))
    return _pole_and_rest(b, "bull_pennant", rest[: 3 + int(b.rng.integers(2))], broken)


def _cup_and_handle(b: Blemishes, broken: bool) -> Shape:
    handle = float(b.rng.uniform(0.65, 0.9)) if broken else float(b.rng.uniform(0.15, 0.3))
    bottom = 0.38 + b(0.06)
    rim = b(0.04)
    return Shape(
        pattern="" if broken else "cup_and_handle",
        like="cup_and_handle",
        time=(0.0, bottom, 0.8 + b(0.04), 1.0),
        price=(1.0 + rim, 0.0, 1.0 - rim, 1.0 - rim - handle),
        lead_in=0.4,
        quality=b.quality,
        curved=(0, 1),
    )


def _shape(
    name: str, time: tuple[float, ...], price: tuple[float, ...], lead_in: float, b: Blemishes, broken: bool
) -> Shape:
    return Shape(pattern="" if broken else name, like=name, time=time, price=price, lead_in=lead_in, quality=b.quality)


_UPRIGHT: Final[dict[str, Callable[[Blemishes, bool], Shape]]] = {
    "head_and_shoulders": _head_and_shoulders,
    "double_top": _double_top,
    "ascending_triangle": _ascending_triangle,
    "symmetrical_triangle": _symmetrical_triangle,
    "bull_flag": _bull_flag,
    "bull_pennant": _bull_pennant,
    "rising_wedge": _rising_wedge,
    "rectangle": _rectangle,
    "cup_and_handle": _cup_and_handle,
}
_MIRRORED: Final = {
    "inverse_head_and_shoulders": "head_and_shoulders",
    "double_bottom": "double_top",
    "descending_triangle": "ascending_triangle",
    "bear_flag": "bull_flag",
    "bear_pennant": "bull_pennant",
    "falling_wedge": "rising_wedge",
}


def draw_shape(pattern: str, rng: np.random.Generator, *, blemishes: float, broken: bool = False) -> Shape:
    """One shape of a pattern of `features.chart_patterns.PATTERNS`.

    Args:
        pattern: its name.
        rng: where chance comes from.
        blemishes: size of the departures from the exact shape, 0 none, 1 as large as the name allows.
        broken: a near miss: like the pattern, but for one turning point that takes the name away.
    """
    shape = _UPRIGHT[_MIRRORED.get(pattern, pattern)](Blemishes(rng, blemishes), broken)
    if pattern not in _MIRRORED:
        return shape
    return replace(
        shape,
        pattern="" if broken else pattern,
        like=pattern,
        price=tuple(-price for price in shape.price),
        lead_in=-shape.lead_in,
    )
