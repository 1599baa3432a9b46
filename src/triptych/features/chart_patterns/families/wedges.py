"""Wedges: both borders rise, or both fall, and come together. A rising wedge is bearish, a falling one bullish."""

from __future__ import annotations

from collections.abc import Iterator

from triptych.features.chart_patterns.borders import borders
from triptych.features.chart_patterns.config import Config
from triptych.features.chart_patterns.skeleton import Found, Skeleton

SOURCES = ("zigzag",)


def find(skeleton: Skeleton, config: Config) -> Iterator[Found]:
    """The wedge that the last extrema make."""
    lines = borders(skeleton, config)
    if lines is None or lines.narrowing > config.contraction:
        return
    if min(lines.upper, lines.lower) >= config.slope:
        yield Found(pattern="rising_wedge", points=lines.points, closeness=lines.fit)
    elif max(lines.upper, lines.lower) <= -config.slope:
        yield Found(pattern="falling_wedge", points=lines.points, closeness=lines.fit)
