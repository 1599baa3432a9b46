"""Triangles: borders that come together. Ascending: a flat top; descending: a flat bottom; symmetrical: neither.

Lo, Mamaysky and Wang 2000, definition 3: tops fall and bottoms rise (triangle top and bottom by the first extremum).
The flat-sided ones are the textbook's (Bulkowski 2005), told apart by slopes in units of tolerance.
"""

from __future__ import annotations

from collections.abc import Iterator

from triptych.features.chart_patterns.borders import borders
from triptych.features.chart_patterns.config import Config
from triptych.features.chart_patterns.skeleton import Found, Skeleton

SOURCES = ("kernel", "zigzag")


def find(skeleton: Skeleton, config: Config) -> Iterator[Found]:
    """The triangle that the last extrema make."""
    lines = borders(skeleton, config)
    if lines is None or lines.narrowing > config.contraction:
        return
    falls, rises = lines.upper <= -config.slope, lines.lower >= config.slope
    if falls and rises:
        name = "symmetrical_triangle"
    elif rises and abs(lines.upper) < config.slope:
        name = "ascending_triangle"
    elif falls and abs(lines.lower) < config.slope:
        name = "descending_triangle"
    else:
        return
    yield Found(pattern=name, points=lines.points, closeness=lines.fit)
