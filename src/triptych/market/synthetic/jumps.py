"""Sudden moves: a compound Poisson process, shared by the market or an instrument's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.market.synthetic.streams import normals, stream, uniforms

_MOST_JUMPS = (
    12  # in one candle; at the highest rate the configuration allows (1) more come once in ten billion candles
)


class Config(BaseConfig):
    """How often jumps come and how far they go."""

    common_rate: float = Field(
        default=0.002,
        ge=0,
        le=0.1,
        description="Mean number of jumps per candle that hit all instruments together, outside a crisis.",
    )
    own_rate: float = Field(
        default=0.003, ge=0, le=0.1, description="Mean number of jumps per candle of one instrument alone."
    )
    crisis_factor: float = Field(default=4.0, ge=1, le=10, description="Multiplier of both rates in the crisis regime.")
    size: float = Field(
        default=4.0,
        ge=0,
        le=20,
        description="Standard deviation of one jump, in multiples of the candle's own volatility.",
    )


def rates(config: Config, regimes: NDArray[np.int8], base: float) -> NDArray[np.float64]:
    """Mean number of jumps in each candle, shape (n_candles,)."""
    return base * np.where(regimes == 2, config.crisis_factor, 1.0)


def jump_sizes(
    config: Config, seed: int, rate: NDArray[np.float64], *name: str
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The summed jumps of each candle, in multiples of its volatility, and their number; both of shape (n_candles,).

    Sizes are normal with mean zero, so k jumps together are normal with variance k; up is as likely as down.
    """
    n = len(rate)
    draw = uniforms(stream(seed, "jump times", *name), n)
    count = np.zeros(n, dtype=np.int64)
    probability = np.exp(-rate)
    cumulative = probability.copy()
    for k in range(1, _MOST_JUMPS + 1):
        count += draw > cumulative
        probability = probability * rate / k
        cumulative += probability
    return np.sqrt(count) * config.size * normals(stream(seed, "jump sizes", *name), n), count


def compensator(config: Config, rate: NDArray[np.float64], volatility: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of the mean of exp(jumps) for each candle: what a drift must take back for the price to stay a martingale."""
    return rate * np.expm1(0.5 * (config.size * volatility) ** 2)
