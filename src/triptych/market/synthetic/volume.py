"""Traded volume: it follows the candle's range and the hour, remembers itself, and leans with the pressure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.market.synthetic.streams import autoregression, normals, stream


class Config(BaseConfig):
    """What volume depends on."""

    range_power: float = Field(
        default=1.1,
        ge=0,
        le=3,
        description="Power of the candle's high-low range, against an ordinary range, in its volume.",
    )
    persistent_deviation: float = Field(
        default=0.3, ge=0, le=2, description="Standard deviation of the part of log volume that remembers itself."
    )
    half_life: float = Field(default=40.0, ge=1, description="Half-life of that part, in candles.")
    noise: float = Field(
        default=0.25, ge=0, le=2, description="Standard deviation of the part of log volume without memory."
    )


def draw_turnover(
    config: Config,
    seed: int,
    symbol: str,
    *,
    relative_range: NDArray[np.float64],
    log_season: NDArray[np.float64],
    lean: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Turnover of each candle in multiples of an ordinary one, shape (n_candles,), above zero.

    Args:
        config: see `Config`.
        seed: of the market.
        symbol: of the instrument.
        relative_range: log(high / low) over the typical volatility, shape (n_candles,).
        log_season: log multiplier by hour and weekday, shape (n_candles,).
        lean: log multiplier by the pressure, shape (n_candles,).
    """
    n = len(relative_range)
    memory = autoregression(
        normals(stream(seed, "volume memory", symbol), n), config.half_life, config.persistent_deviation
    )
    noise = config.noise * normals(stream(seed, "volume noise", symbol), n)
    activity = config.range_power * np.log(
        0.1 + relative_range
    )  # 0.1: a candle that stood still was traded all the same
    turnover: NDArray[np.float64] = np.exp(activity + log_season + memory + noise + lean)
    return turnover
