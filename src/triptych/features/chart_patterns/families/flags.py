"""Flags and pennants: a steep pole, then a small rest against it between parallel (flag) or meeting (pennant) borders.

Own definition: Lo, Mamaysky and Wang have none. Six extrema or five: base and tip of the pole, then the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from triptych.features.chart_patterns.config import Config
from triptych.features.chart_patterns.skeleton import Found, Skeleton, closeness

SOURCES = ("zigzag",)
LONGEST_REST = 5.0
"""Greatest length of the rest in lengths of the pole, and in candles no less than `LEAST_REST`."""
LEAST_REST = 12


def find(skeleton: Skeleton, config: Config) -> Iterator[Found]:
    """The flag or pennant of the last six or five extrema; six, if both fit."""
    for count in (6, 5):
        if len(skeleton) >= count:
            found = _find(skeleton, tuple(skeleton.tail(count)), config)
            if found is not None:
                yield found
                return


def _find(skeleton: Skeleton, points: tuple[int, ...], config: Config) -> Found | None:
    sign = -1.0 if skeleton.is_top(points[0]) else 1.0
    at = [skeleton.index[p] for p in points]
    price = [sign * skeleton.price[p] for p in points]
    pole, candles = price[1] - price[0], at[1] - at[0]
    rest = at[-1] - at[1]
    if pole < max(config.pole, config.pole_speed * candles) * skeleton.atr or at[-1] - at[0] > config.longest:
        return None
    if rest > max(LONGEST_REST * candles, LEAST_REST):
        return None
    given_back = (price[1] - min(price[2:])) / pole
    if given_back > config.retracement or max(price[2:]) > price[1] + config.tolerance * skeleton.unit:
        return None
    upper = (price[3] - price[1]) / (at[3] - at[1])
    lower = (price[4] - price[2]) / (at[4] - at[2])
    if len(points) == 6 and abs(price[1] + upper * (at[5] - at[1]) - price[5]) > config.tolerance * skeleton.unit:
        return None
    first_width = price[1] + upper * (at[2] - at[1]) - price[2]
    last_width = price[1] + upper * (at[-1] - at[1]) - (price[2] + lower * (at[-1] - at[2]))
    if first_width <= 0 or last_width <= 0:
        return None
    narrowing = last_width / first_width
    if narrowing <= config.contraction and upper < 0.0 < lower:
        name = "bull_pennant" if sign > 0 else "bear_pennant"
    elif config.contraction < narrowing < 1.0 / config.contraction and upper <= 0.0:
        name = "bull_flag" if sign > 0 else "bear_flag"
    else:
        return None
    return Found(
        pattern=name,
        points=points,
        closeness=closeness(given_back / config.retracement, config.pole * skeleton.atr / pole),
    )
