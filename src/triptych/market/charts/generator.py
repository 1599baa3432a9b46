"""Generated charts with one planted pattern, a near miss or nothing: exact turning points, boxes and quality.

Deterministic: chart `number` of a seed is the same whatever else is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import HIGH, LOW
from triptych.domain import Config as BaseConfig
from triptych.features.chart_patterns import PATTERNS, Detection, KeyPoint
from triptych.market.charts.shapes import Shape, draw_shape
from triptych.market.synthetic.streams import stream


class Config(BaseConfig):
    """What generated charts are like."""

    length: int = Field(128, ge=48, le=2048, description="Candles of a chart.")
    shortest: int = Field(20, ge=12, le=2000, description="Least candles from first to last turning point.")
    longest: int = Field(64, ge=12, le=2000, description="Most candles from first to last turning point.")
    height: tuple[float, float] = Field(
        (7.0, 16.0), description="Least and greatest height of a pattern in standard deviations of one candle's return."
    )
    volatility: tuple[float, float] = Field(
        (0.0005, 0.02), description="Least and greatest standard deviation of a candle's log return."
    )
    noise: float = Field(1.0, ge=0, le=3, description="Most noise around the legs, in standard deviations a candle.")
    trend: float = Field(
        0.25, ge=0, le=2, description="Most drift before and after the pattern, in standard deviations a candle."
    )
    blemishes: float = Field(
        1.0, ge=0, le=1, description="Size of departures from the exact shape; 0 draws exact ones."
    )
    share_planted: float = Field(0.6, ge=0, le=1, description="Share of charts that hold a pattern.")
    share_broken: float = Field(
        0.2, ge=0, le=1, description="Share of charts that hold a near miss; the rest are random walks."
    )


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A generated chart.

    Attributes:
        values: float64 array of shape (length, 5): open, high, low, close, volume.
        planted: what is in it, with `score` its quality and `known_at` its last turning point; None where nothing is.
        like: the pattern that it holds or nearly holds; empty for a random walk.
        volatility: standard deviation of a candle's log return.
    """

    values: NDArray[np.float64]
    planted: Detection | None
    like: str
    volatility: float


def draw_chart(config: Config, seed: int, number: int, *, latest_end: int | None = None) -> Chart:
    """Chart `number` of a seed.

    Args:
        config: what charts are like.
        seed: of all charts.
        number: which one.
        latest_end: where the last turning point stands at the latest; None leaves room for what follows.
    """
    rng = stream(seed, "chart", str(number))
    volatility = float(np.exp(rng.uniform(*np.log(config.volatility))))
    kind = float(rng.uniform())
    if kind >= config.share_planted + config.share_broken:
        path = np.cumsum(rng.normal(rng.uniform(-config.trend, config.trend), 1.0, config.length))
        values = _candles(path, np.full(config.length, np.inf), np.full(config.length, -np.inf), volatility, rng)
        return Chart(values=values, planted=None, like="", volatility=volatility)
    pattern = list(PATTERNS)[int(rng.integers(len(PATTERNS)))]
    shape = draw_shape(pattern, rng, blemishes=config.blemishes, broken=kind >= config.share_planted)
    return _plant(config, shape, volatility, rng, latest_end)


def _plant(config: Config, shape: Shape, volatility: float, rng: np.random.Generator, latest_end: int | None) -> Chart:
    n = config.length
    least = max(config.shortest, 4 * (len(shape.time) - 1))
    width = int(rng.integers(least, max(min(config.longest, n - 24), least) + 1))
    latest = n - 6 if latest_end is None else latest_end
    end = int(rng.integers(min(width + 10, latest), latest + 1))
    start = end - width
    height = float(rng.uniform(*config.height))
    at = np.unique(start + np.round(np.array(shape.time) * width).astype(np.int64))
    price = height * np.array(shape.price)
    path, ceiling, floor = _around(config, shape, at, price, height, rng)
    values = _candles(path, ceiling, floor, volatility, rng)
    tops = price > np.r_[price[1], price[:-1]]
    exact = np.where(tops, values[at, HIGH], values[at, LOW])
    if not shape.pattern:
        return Chart(values=values, planted=None, like=shape.like, volatility=volatility)
    box = values[start : end + 1]
    planted = Detection(
        pattern=shape.pattern,
        side=PATTERNS[shape.pattern],
        start=start,
        end=end,
        low=float(box[:, LOW].min()),
        high=float(box[:, HIGH].max()),
        known_at=end,
        score=shape.quality,
        key_points=tuple(KeyPoint(index=int(i), price=float(p)) for i, p in zip(at, exact, strict=True)),
    )
    return Chart(values=values, planted=planted, like=shape.like, volatility=volatility)


def _around(
    config: Config, shape: Shape, at: NDArray[np.int64], price: NDArray[np.float64], height: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Path of closes with what no candle may pass above and below, all in standard deviations of a candle."""
    n, start, end = config.length, int(at[0]), int(at[-1])
    noise = config.noise * float(rng.uniform(0.3, 1.0))
    coming = min(max(int(0.25 * (end - start)), 4), start)
    going = min(max(int(0.15 * (end - start)), 4), n - 1 - end)
    last_leg = price[-2] - price[-1]
    nodes = [start - coming, *at.tolist(), end + going]
    away = float(rng.uniform(0.5, 0.9)) * last_leg
    levels = [height * shape.lead_in, *price.tolist(), price[-1] + away]
    path = np.empty(n)
    ceiling, floor = np.full(n, -np.inf), np.full(n, np.inf)
    for leg, (first, last) in enumerate(pairwise(nodes)):
        share = np.linspace(0.0, 1.0, last - first + 1)
        bend = share
        if leg - 1 in shape.curved:
            bend = share**2 if levels[leg + 1] > levels[leg] else 1.0 - (1.0 - share) ** 2
        # Noise that dwarfs a leg would lie flat against the prices it must not pass.
        most = 0.4 * abs(levels[leg + 1] - levels[leg]) / np.sqrt(last - first)
        walk = np.r_[0.0, np.cumsum(rng.normal(0.0, min(noise, most), last - first))]
        bridge = walk - share * walk[-1]
        low, high = sorted((levels[leg], levels[leg + 1]))
        path[first : last + 1] = np.clip(levels[leg] + (levels[leg + 1] - levels[leg]) * bend + bridge, low, high)
        # The legs before and after are closed on the side of the turning point only.
        outer = leg in (0, len(nodes) - 2)
        closed_above = not outer or (levels[leg + 1] > levels[leg]) == (leg == 0)
        closed_below = not outer or not closed_above
        inside = slice(first, last + 1)
        ceiling[inside] = np.maximum(ceiling[inside], high if closed_above else -np.inf)
        floor[inside] = np.minimum(floor[inside], low if closed_below else np.inf)
    ceiling[np.isinf(ceiling)], floor[np.isinf(floor)] = np.inf, -np.inf
    drift = float(rng.uniform(-config.trend, config.trend))
    before = nodes[0]
    path[:before] = path[before] - np.cumsum(rng.normal(drift, 1.0, before))[::-1]
    drift = float(rng.uniform(-config.trend, config.trend))
    after = n - 1 - nodes[-1]
    path[n - after :] = path[nodes[-1]] + np.cumsum(rng.normal(drift, 1.0, after))
    return path, ceiling, floor


def _candles(
    path: NDArray[np.float64],
    ceiling: NDArray[np.float64],
    floor: NDArray[np.float64],
    volatility: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Candles whose closes follow a path in standard deviations; wicks stop at ceiling and floor."""
    n = len(path)
    opens = np.clip(np.r_[path[0] - rng.normal(), path[:-1]], floor, ceiling)
    high = np.minimum(np.maximum(opens, path) + np.abs(rng.normal(0.0, 0.4, n)), ceiling)
    low = np.maximum(np.minimum(opens, path) - np.abs(rng.normal(0.0, 0.4, n)), floor)
    scale = 10.0 ** rng.uniform(-1.0, 4.0)
    volume = rng.lognormal(3.0, 0.6, n) * (1.0 + np.abs(path - opens))
    prices = scale * np.exp(volatility * np.column_stack([opens, high, low, path]))
    return np.column_stack([prices, volume])
