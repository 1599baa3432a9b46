"""The ten chart patterns of Lo, Mamaysky and Wang, Journal of Finance 55(4), 2000, section II, as they define them.

On closes, with tolerances in shares of the price, for days of shares; the scanner's patterns are made after them, with
tolerances in ATR. A window of `length` + `delay` candles ends at each candle. Its extrema (see `kernel`) are looked at
up to its candle number `length`, which must be the last extremum of a pattern: so each pattern is told in one window,
`delay` candles after its end, and nothing outside of that window has a say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import CANDLE_FIELDS, CLOSE, HIGH, LOW
from triptych.domain import Config as BaseConfig
from triptych.domain.errors import DataError
from triptych.features.chart_patterns.detection import Detection, KeyPoint
from triptych.features.chart_patterns.kernel import KernelExtrema

PAPER_PATTERNS: Final[dict[str, int]] = {
    "head_and_shoulders": -1,
    "inverse_head_and_shoulders": 1,
    "broadening_top": 0,
    "broadening_bottom": 0,
    "triangle_top": 0,
    "triangle_bottom": 0,
    "rectangle_top": 0,
    "rectangle_bottom": 0,
    "double_top": -1,
    "double_bottom": 1,
}
"""HS, IHS, BTOP, BBOT, TTOP, TBOT, RTOP, RBOT, DTOP and DBOT, and their sides; the paper names none for most."""


class PaperConfig(BaseConfig):
    """The paper's numbers."""

    length: int = Field(35, ge=5, le=1000, description="Candles of a window in which a pattern lies (l).")
    delay: int = Field(3, ge=1, le=100, description="Candles that follow its last extremum (d).")
    bandwidth_share: float = Field(0.3, gt=0, le=2, description="Share of the cross-validated bandwidth that is used.")
    tolerance: float = Field(
        1.5, gt=0, le=50, description="How far equal extrema may lie from their average, hundredths of it."
    )
    rectangle_tolerance: float = Field(0.75, gt=0, le=50, description="The same of a rectangle.")
    separation: int = Field(22, ge=0, le=1000, description="More candles than these lie between the tops of a double.")


def find_paper_patterns(
    values: NDArray[np.float64], config: PaperConfig | None = None, *, after_outage: NDArray[np.bool_] | None = None
) -> tuple[Detection, ...]:
    """All patterns of a history by the paper's definitions, in the order in which they became known.

    Args:
        values: candles of shape (n_candles, 5): open, high, low, close, volume.
        config: the paper's numbers, or others.
        after_outage: candles before which the history has a hole that no window may span, bool of shape (n_candles,);
            None: there is none.

    A definition holds or not, so every score is 1. Raises DataError for another shape or a price that is not a positive
    number.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(CANDLE_FIELDS) or not _is_positive(values[:, : CLOSE + 1]):
        raise DataError(
            f"Expected candles of shape (n_candles, {len(CANDLE_FIELDS)}) with prices above zero, was an array of "
            f"shape {values.shape}.",
            remedy="Feed open, high, low, close and volume of closed candles, without NaN.",
        )
    config = config or PaperConfig()
    kernel = KernelExtrema(config.length + config.delay, config.bandwidth_share)
    close = np.ascontiguousarray(values[:, CLOSE])
    holes = np.cumsum(np.zeros(len(close)) if after_outage is None else after_outage)
    found = []
    for now in range(kernel.length - 1, len(close)):
        start = now + 1 - kernel.length
        if holes[now] > holes[start]:
            continue
        positions, tops = kernel.find(close[start : now + 1])
        ripe = int(np.searchsorted(positions, config.length))
        if not ripe or positions[ripe - 1] != config.length - 1:
            continue
        at = start + positions[:ripe]
        for name, points in _patterns(close[at], at, bool(tops[ripe - 1]), config):
            found.append(_detection(name, [int(at[p]) for p in points], values, now))
    return tuple(found)


def _is_positive(prices: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(prices).all() and (prices > 0).all())


def _patterns(
    price: NDArray[np.float64], at: NDArray[np.int64], last_is_top: bool, config: PaperConfig
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names of the patterns whose last extremum is the last one, and positions of their extrema in `at`."""
    count = len(price)
    if count >= 5:
        five = tuple(range(count - 5, count))
        for name in _of_five(*(float(price[p]) for p in five), starts_with_top=last_is_top, config=config):
            yield name, five
    facing = price if last_is_top else -price
    for first in range(count - 3, -1, -2):
        if facing[first + 2] > facing[-1]:  # Ea is the highest of those after E1
            return
        if at[-1] - at[first] > config.separation and _level(config.tolerance, float(price[first]), float(price[-1])):
            valley = first + 1 + int(np.argmin(facing[first + 1 :]))
            yield ("double_top" if last_is_top else "double_bottom"), (first, valley, count - 1)
            return


def _of_five(
    e1: float, e2: float, e3: float, e4: float, e5: float, *, starts_with_top: bool, config: PaperConfig
) -> Iterator[str]:
    """Definitions 1 to 4. From a bottom, what widens the other way is a triangle, and what narrows broadens."""
    outer, inner = (e1, e3, e5), (e2, e4)
    level = _level(config.tolerance, e1, e5) and _level(config.tolerance, *inner)
    flat = _level(config.rectangle_tolerance, *outer) and _level(config.rectangle_tolerance, *inner)
    widens, narrows = e1 < e3 < e5 and e2 > e4, e1 > e3 > e5 and e2 < e4
    if starts_with_top:
        tests = (e3 > max(e1, e5) and level, widens, narrows, flat and min(outer) > max(inner))
        names = ("head_and_shoulders", "broadening_top", "triangle_top", "rectangle_top")
    else:
        tests = (e3 < min(e1, e5) and level, narrows, widens, flat and max(outer) < min(inner))
        names = ("inverse_head_and_shoulders", "broadening_bottom", "triangle_bottom", "rectangle_bottom")
    yield from (name for name, holds in zip(names, tests, strict=True) if holds)


def _level(percent: float, *prices: float) -> bool:
    """Whether all lie within so many hundredths of their average."""
    average = sum(prices) / len(prices)
    return max(abs(price - average) for price in prices) <= percent / 100.0 * average


def _detection(name: str, points: list[int], values: NDArray[np.float64], now: int) -> Detection:
    box = values[points[0] : points[-1] + 1]
    return Detection(
        pattern=name, side=PAPER_PATTERNS[name], start=points[0], end=points[-1], low=float(box[:, LOW].min()),
        high=float(box[:, HIGH].max()), known_at=now, score=1.0,
        key_points=tuple(KeyPoint(index=at, price=float(values[at, CLOSE])) for at in points),
    )  # fmt: skip
