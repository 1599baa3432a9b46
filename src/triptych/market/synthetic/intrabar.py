"""The path inside each candle: it leads from open to close, and its extremes are the high and the low.

The return of the candle is given. The path only decides how the price got there, so that whatever shapes it (the hidden
pressure does) cannot say anything about where the price goes next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.market.synthetic.streams import normals, stream, uniforms

_CHUNK = 8192  # candles worked on at a time: their paths fit into the processor's cache


class Config(BaseConfig):
    """Resolution and restlessness of the path inside a candle."""

    steps: int = Field(
        default=30, ge=4, le=500, description="Steps of the path inside a candle (30: one each half minute of 15)."
    )
    noise: float = Field(
        default=0.85,
        ge=0,
        le=2,
        description="Size of the path's random part, in multiples of the candle's volatility; 1 is Brownian.",
    )
    probe: float = Field(
        default=1.0,
        ge=0,
        le=5,
        description="Mean depth of the probe, an excursion that returns before the close and leaves a wick, in "
        "multiples of the candle's volatility.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Extremes:
    """How far each candle's path went from its open, as log returns; float64 arrays of shape (n_candles,).

    Attributes:
        high: zero or more, and at least the candle's return.
        low: zero or less, and at most the candle's return.
    """

    high: NDArray[np.float64]
    low: NDArray[np.float64]


def draw_extremes(
    config: Config,
    seed: int,
    symbol: str,
    *,
    gradual: NDArray[np.float64],
    jump: NDArray[np.float64],
    volatility: NDArray[np.float64],
    lean: NDArray[np.float64],
) -> Extremes:
    """Walk every candle's path and keep its extremes.

    The path is the gradual return in equal steps, plus a Brownian bridge, plus the jump at one moment, plus one probe:
    a tent that is zero at open and close. The probe points down with probability (1 + lean) / 2; its depth is gamma
    distributed with shape 2.

    Args:
        config: see `Config`.
        seed: of the market.
        symbol: of the instrument.
        gradual: the return without jumps, shape (n_candles,).
        jump: the sum of the jumps, shape (n_candles,).
        volatility: standard deviation of the continuous return, shape (n_candles,).
        lean: from -1 (probes point up) to 1 (probes point down), shape (n_candles,).
    """
    n = len(gradual)
    noise, habits = stream(seed, "path", symbol), stream(seed, "probe", symbol)
    high, low = np.empty(n), np.empty(n)
    for start in range(0, n, _CHUNK):
        stop = min(start + _CHUNK, n)
        path = _paths(
            config, noise, habits, gradual[start:stop], jump[start:stop], volatility[start:stop], lean[start:stop]
        )
        high[start:stop] = np.maximum(path.max(axis=0), 0.0)
        low[start:stop] = np.minimum(path.min(axis=0), 0.0)
    return Extremes(high=np.maximum(high, gradual + jump), low=np.minimum(low, gradual + jump))


def _paths(
    config: Config,
    noise: np.random.Generator,
    habits: np.random.Generator,
    gradual: NDArray[np.float64],
    jump: NDArray[np.float64],
    volatility: NDArray[np.float64],
    lean: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Log price against the open at the end of each step, shape (steps, n_candles)."""
    n, steps = len(gradual), config.steps
    time = (np.arange(1, steps + 1) / steps)[:, None]
    walk = np.cumsum(normals(noise, n, steps).T, axis=0) * np.sqrt(1.0 / steps)
    bridge = walk - time * walk[-1]
    side, first, second, middle, half_width, moment = uniforms(habits, n, 6).T
    direction = np.where(side < 0.5 * (1.0 + lean), -1.0, 1.0)
    depth = -0.5 * np.log(first * second)  # gamma with shape 2 and mean 1: seldom no wick at all, seldom a giant
    half_width = 0.1 + 0.2 * half_width
    middle = half_width + (1.0 - 2.0 * half_width) * middle
    tent = np.maximum(1.0 - np.abs(time - middle) / half_width, 0.0)
    shape = config.noise * bridge + (config.probe * direction * depth) * tent
    paths: NDArray[np.float64] = gradual * time + jump * (time >= moment) + volatility * shape
    return paths
