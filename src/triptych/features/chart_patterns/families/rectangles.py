"""Rectangle: tops at one price, bottoms at another, the price between them.

Lo, Mamaysky and Wang 2000, definition 4: tops near their mean, bottoms near theirs, the lowest top above the highest
bottom. Here the borders may lean by less than the slope that makes a triangle.
"""

from __future__ import annotations

from collections.abc import Iterator

from triptych.features.chart_patterns.borders import borders
from triptych.features.chart_patterns.config import Config
from triptych.features.chart_patterns.skeleton import Found, Skeleton

SOURCES = ("kernel", "zigzag")


def find(skeleton: Skeleton, config: Config) -> Iterator[Found]:
    """The rectangle that the last extrema make."""
    lines = borders(skeleton, config)
    if lines is None or max(abs(lines.upper), abs(lines.lower)) >= config.slope:
        return
    if not config.contraction < lines.narrowing < 1.0 / config.contraction:
        return
    tops = [skeleton.price[p] for p in lines.points if skeleton.is_top(p)]
    bottoms = [skeleton.price[p] for p in lines.points if not skeleton.is_top(p)]
    if min(tops) > max(bottoms):
        yield Found(pattern="rectangle", points=lines.points, closeness=lines.fit)
