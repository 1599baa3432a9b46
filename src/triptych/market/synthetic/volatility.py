"""How much the market moves: regimes, stochastic volatility and the season. Nothing here knows a direction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.domain import Timeframe
from triptych.market.synthetic.spells import markov_chain
from triptych.market.synthetic.streams import autoregression, normals, stream

REGIMES: Final = ("calm", "volatile", "crisis")
"""Names of the regime codes 0, 1 and 2."""
_NEXT_REGIME: Final = ((0.0, 0.9, 0.1), (0.75, 0.0, 0.25), (0.2, 0.8, 0.0))


_Duration = Annotated[float, Field(ge=2)]
_Multiplier = Annotated[float, Field(gt=0, le=10)]
_Correlation = Annotated[float, Field(ge=0, lt=1)]


class Config(BaseConfig):
    """Level, regimes and persistence of volatility; correlation between the instruments."""

    typical: float = Field(
        default=0.0023,
        gt=0,
        le=0.02,
        description="Typical standard deviation of the log return of a 15-minute candle, before regime, hour and "
        "chance act on it, as a fraction (0.0023 is 0.23 percent); other timeframes scale with the root of time.",
    )
    regime_duration: tuple[_Duration, _Duration, _Duration] = Field(
        default=(360.0, 120.0, 60.0),
        description="Mean length of the calm, the volatile and the crisis regime, in candles.",
    )
    regime_volatility: tuple[_Multiplier, _Multiplier, _Multiplier] = Field(
        default=(0.9, 1.35, 2.2),
        description="Multiplier of volatility in the calm, the volatile and the crisis regime.",
    )
    regime_correlation: tuple[_Correlation, _Correlation, _Correlation] = Field(
        default=(0.45, 0.6, 0.85),
        description="Correlation of two average instruments in the calm, the volatile and the crisis regime.",
    )
    common_deviation: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Standard deviation of the slow log-volatility process that all instruments share.",
    )
    common_half_life: float = Field(
        default=200.0, ge=1, description="Half-life of the shared log-volatility process, in candles."
    )
    own_deviation: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Standard deviation of the faster log-volatility process of each instrument.",
    )
    own_half_life: float = Field(
        default=30.0, ge=1, description="Half-life of an instrument's own log-volatility process, in candles."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketVolatility:
    """What all instruments share.

    Attributes:
        regimes: int8 array of shape (n_candles,): 0 calm, 1 volatile, 2 crisis.
        log_level: float64 array of shape (n_candles,): log of the shared standard deviation of a candle's return.
        correlation: float64 array of shape (n_candles,): correlation of two average instruments.
    """

    regimes: NDArray[np.int8]
    log_level: NDArray[np.float64]
    correlation: NDArray[np.float64]


def typical_volatility(config: Config, timeframe: Timeframe) -> float:
    """`Config.typical`, from 15 minutes to `timeframe`."""
    return config.typical * math.sqrt(timeframe.milliseconds / Timeframe.parse("15m").milliseconds)


def market_volatility(
    config: Config, seed: int, timeframe: Timeframe, log_season: NDArray[np.float64]
) -> MarketVolatility:
    """Draw the shared part for as many candles as `log_season` has; the history opens in the calm regime."""
    n = len(log_season)
    regimes = markov_chain(
        stream(seed, "regimes"), n,
        first=(1.0, 0.0, 0.0), mean_duration=config.regime_duration, jump=_NEXT_REGIME,
    )  # fmt: skip
    slow = autoregression(normals(stream(seed, "volatility"), n), config.common_half_life, config.common_deviation)
    level = np.log(typical_volatility(config, timeframe)) + np.log(config.regime_volatility)[regimes]
    return MarketVolatility(
        regimes=regimes,
        log_level=level + slow + log_season,
        correlation=np.asarray(config.regime_correlation)[regimes],
    )


def instrument_volatility(
    config: Config, seed: int, symbol: str, market: MarketVolatility, multiplier: float
) -> NDArray[np.float64]:
    """Standard deviation of each candle's continuous log return, shape (n_candles,); known before the candle opens."""
    n = len(market.log_level)
    fast = autoregression(normals(stream(seed, "volatility", symbol), n), config.own_half_life, config.own_deviation)
    return multiplier * np.exp(market.log_level + fast)
