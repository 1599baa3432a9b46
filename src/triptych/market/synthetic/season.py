"""The clock of the market: hours of the day and the weekend, in volatility and in volume."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.domain import Timeframe

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_MAIN_PEAK_HOUR, _SECOND_PEAK_HOUR = 15.0, 14.0  # UTC: New York is open, London not yet closed


class Config(BaseConfig):
    """How strongly the hour and the weekend act."""

    volatility_amplitude: float = Field(
        default=0.28,
        ge=0,
        le=1,
        description="Swing of the 24-hour season in log volatility: 0.28 makes the busiest hour about 1.9 times as "
        "volatile as the quietest.",
    )
    volume_amplitude: float = Field(
        default=0.25,
        ge=0,
        le=1.5,
        description="Swing of the 24-hour season in log volume, on top of what volume gains from volatility.",
    )
    weekend_volatility: float = Field(
        default=0.75, gt=0, le=2, description="Volatility on Saturday and Sunday (UTC) as a share of a weekday's."
    )
    weekend_volume: float = Field(
        default=0.8,
        gt=0,
        le=2,
        description="Volume on Saturday and Sunday as a share of a weekday's, on top of what volatility takes.",
    )


def log_season(
    open_time_ms: NDArray[np.int64], timeframe: Timeframe, *, amplitude: float, weekend: float
) -> NDArray[np.float64]:
    """Log multiplier of each candle, shape (n_candles,).

    The 24-hour shape has two harmonics that peak in the afternoon (UTC) and averages zero over a day; the hour is that
    of the middle of the candle. Candles of a day or longer have no hour, candles longer than a day no weekend.
    """
    middle = open_time_ms + timeframe.milliseconds // 2
    values = np.zeros(len(middle))
    if timeframe.milliseconds < _DAY_MS:
        hour = (middle % _DAY_MS) / _HOUR_MS
        values += amplitude * np.cos(2 * np.pi * (hour - _MAIN_PEAK_HOUR) / 24)
        values += 0.4 * amplitude * np.cos(4 * np.pi * (hour - _SECOND_PEAK_HOUR) / 24)
    if timeframe.milliseconds <= _DAY_MS:
        weekday = (middle // _DAY_MS + 3) % 7  # the epoch was a Thursday; Monday is 0
        values += np.where(weekday >= 5, np.log(weekend), 0.0)
    return values
