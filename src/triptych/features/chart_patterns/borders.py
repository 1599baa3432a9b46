"""Upper and lower border of the last extrema: the lines that triangles, wedges and rectangles are told apart by."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.features.chart_patterns.config import Config
from triptych.features.chart_patterns.skeleton import Skeleton, closeness

LEAST, MOST = 5, 9
"""Touches of both borders together: five as in Lo, Mamaysky and Wang, and more where earlier ones fit too."""
ASTRAY = 3.0
"""How far, in tolerances, the first touch may lie from the line through the later ones of its side, prolonged to it.
Of three touches a first one that lies far before the others draws the line to itself and always fits; it is where the
price came from, not a touch. At even distances three that fit their line are never further than this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Borders:
    """Two lines over the last extrema.

    Attributes:
        points: positions of the touches in the skeleton.
        upper, lower: change of each line from the first touch to the last, in units of tolerance.
        first_width, last_width: distance of the lines at the first and last touch, prices.
        fit: from 0 to 1, how close the touches lie to their lines.
    """

    points: tuple[int, ...]
    upper: float
    lower: float
    first_width: float
    last_width: float
    fit: float

    @property
    def narrowing(self) -> float:
        """Last width as a share of the first."""
        return self.last_width / self.first_width


def borders(skeleton: Skeleton, config: Config) -> Borders | None:
    """Lines through the last five extrema and those before them that touch them too; None where they do not fit."""
    found = None
    for count in range(LEAST, min(MOST, len(skeleton)) + 1):
        wider = _through(skeleton, tuple(skeleton.tail(count)), config)
        if wider is None:
            break
        found = wider
    return found


def _through(skeleton: Skeleton, points: tuple[int, ...], config: Config) -> Borders | None:
    first, last = skeleton.index[points[0]], skeleton.index[points[-1]]
    if not 0 < last - first <= config.longest:
        return None
    allowed = config.tolerance * skeleton.unit
    ends = []
    errors = []
    for wants_top in (True, False):
        chosen = [p for p in points if skeleton.is_top(p) == wants_top]
        mean = sum(skeleton.index[p] for p in chosen) / len(chosen)
        level = sum(skeleton.price[p] for p in chosen) / len(chosen)
        touches = [(skeleton.index[p] - mean, skeleton.price[p] - level) for p in chosen]
        slope = sum(at * price for at, price in touches) / sum(at * at for at, _ in touches)
        misses = [abs(price - slope * at) for at, price in touches]
        miss = max(misses)
        if miss > allowed or (points[0] == chosen[0] and _astray(touches, misses[0]) > ASTRAY * allowed):
            return None
        if len(chosen) > 2:
            errors.append(miss / allowed)
        ends.append((level + slope * (first - mean), level + slope * (last - mean)))
    (top_first, top_last), (bottom_first, bottom_last) = ends
    if top_first <= bottom_first or top_last <= bottom_last:
        return None
    return Borders(
        points=points,
        upper=(top_last - top_first) / skeleton.unit,
        lower=(bottom_last - bottom_first) / skeleton.unit,
        first_width=top_first - bottom_first,
        last_width=top_last - bottom_last,
        fit=closeness(*errors),
    )


def _astray(touches: list[tuple[float, float]], miss: float) -> float:
    """Distance of the first touch, `miss` from the line of all, to the line of the others: miss / (1 - leverage).

    0 where there is but one other, through which no line is drawn.
    """
    if len(touches) < 3:
        return 0.0
    leverage = 1.0 / len(touches) + touches[0][0] ** 2 / sum(at * at for at, _ in touches)
    return miss / (1.0 - leverage)
