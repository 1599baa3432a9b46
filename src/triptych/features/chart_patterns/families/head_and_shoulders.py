"""Head and shoulders, and its inverse: five extrema, the middle one beyond its neighbours of the same kind.

Lo, Mamaysky and Wang 2000, definition 1: E1 a top, E3 above E1 and E5; E1 and E5 near their mean, E2 and E4 near
theirs. Beyond it a head of some height is asked for, and halves of comparable length.
"""

from __future__ import annotations

from collections.abc import Iterator

from triptych.features.chart_patterns.config import Config
from triptych.features.chart_patterns.skeleton import Found, Skeleton, closeness

SOURCES = ("kernel", "zigzag")


def find(skeleton: Skeleton, config: Config) -> Iterator[Found]:
    """The pattern of the last five extrema."""
    if len(skeleton) < 5:
        return
    points = tuple(skeleton.tail(5))
    sign = 1.0 if skeleton.is_top(points[0]) else -1.0
    left, left_neck, head, right_neck, right = (sign * skeleton.price[p] for p in points)
    allowed = config.tolerance * skeleton.unit
    shoulders, neck = abs(left - right) / 2.0 / allowed, abs(left_neck - right_neck) / 2.0 / allowed
    if head - max(left, right) <= config.prominence * skeleton.unit or shoulders > 1.0 or neck > 1.0:
        return
    before = skeleton.index[points[2]] - skeleton.index[points[0]]
    after = skeleton.index[points[4]] - skeleton.index[points[2]]
    if max(before, after) > config.balance * min(before, after):
        return
    yield Found(
        pattern="head_and_shoulders" if sign > 0 else "inverse_head_and_shoulders",
        points=points,
        closeness=closeness(shoulders, neck, 1.0 - min(before, after) / max(before, after)),
    )
