"""Double top and double bottom: two extremes at one price with a valley between them.

Lo, Mamaysky and Wang 2000, definition 5: E1 a top and a later top Ea, the highest of those after E1, both near their
mean and some candles apart. Beyond it the valley must have a depth.
"""

from __future__ import annotations

from collections.abc import Iterator

from triptych.features.chart_patterns.config import Config
from triptych.features.chart_patterns.skeleton import Found, Skeleton, closeness

SOURCES = ("kernel", "zigzag")


def find(skeleton: Skeleton, config: Config) -> Iterator[Found]:
    """The pattern whose second extreme is the last one: the nearest partner before it that fits."""
    last = len(skeleton) - 1
    if last < 2:
        return
    sign = 1.0 if skeleton.last_is_top else -1.0
    second = sign * skeleton.price[last]
    allowed = config.tolerance * skeleton.unit
    valley = last - 1
    for first in range(last - 2, -1, -2):
        if sign * skeleton.price[first + 1] < sign * skeleton.price[valley]:
            valley = first + 1
        price = sign * skeleton.price[first]
        apart = skeleton.index[last] - skeleton.index[first]
        if apart > config.longest:
            return
        off = abs(price - second) / 2.0 / allowed
        deep = min(price, second) - sign * skeleton.price[valley] >= config.depth * skeleton.unit
        if off <= 1.0 and deep and apart >= config.separation:
            yield Found(
                pattern="double_top" if sign > 0 else "double_bottom",
                points=(first, valley, last),
                closeness=closeness(off),
            )
            return
        if price > second:  # Ea must be the highest since E1
            return
