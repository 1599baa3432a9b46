"""Targets: what followed each candle, in the classes sell, hold and buy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import BUY, HIGH, HOLD, LOW, OPEN, SELL, CandleSeries
from triptych.domain import Config as BaseConfig
from triptych.features.close_volatility import ewma_volatility, rolling_volatility

UNKNOWN: Final = -1
"""Class of a candle without a label: too little before it or too little after it."""


class Config(BaseConfig):
    """Which future counts as buy, which as sell."""

    kind: Literal["direction", "triple_barrier"] = Field(
        "direction",
        description="`direction`: the close `horizon` candles later lies above or below a threshold. "
        "`triple_barrier`: which of two price barriers is touched first within `horizon` candles.",
    )
    horizon: int = Field(8, description="How far a target looks ahead, in candles.", ge=1, le=100_000)
    threshold: Literal["fixed", "volatility"] = Field(
        "volatility",
        description="`fixed`: thresholds are `up` and `down`. `volatility`: they are `up_multiple` and `down_multiple` "
        "times the volatility known at the candle times the square root of `horizon`.",
    )
    up: float = Field(
        0.002, description="Fixed return above which a candle is a buy, as a fraction (0.002 = 0.2 %).", ge=0, le=10
    )
    down: float = Field(
        0.002,
        description="Fixed loss beyond which a candle is a sell, as a positive fraction (0.002 = 0.2 %).",
        ge=0,
        lt=1,
    )
    up_multiple: float = Field(0.5, description="Upper threshold in volatilities over the horizon.", ge=0, le=100)
    down_multiple: float = Field(0.5, description="Lower threshold in volatilities over the horizon.", ge=0, le=100)
    volatility: Literal["ewma", "rolling"] = Field(
        "ewma", description="`ewma`: exponentially weighted squared returns; `rolling`: plain mean of squared returns."
    )
    volatility_span: int = Field(
        96, description="Span of the volatility in candles; no label before it is filled.", ge=2, le=100_000
    )
    vertical: Literal["hold", "sign"] = Field(
        "hold",
        description="Triple barrier only: the class when neither price barrier was touched within the horizon. "
        "`hold`, or `sign`: buy above and sell below the starting close.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Targets:
    """Labels of one series; everything has shape (n_candles,).

    Attributes:
        classes: int8, 0 sell, 1 hold, 2 buy, -1 unknown.
        end: int64, the candle whose close settles the label; -1 where unknown.
        latest_end: int64, the last candle the label could have depended on, `horizon` later; -1 where unknown. Splits
            purge by it: were they to purge by `end`, the last samples of a segment would be those that moved early,
            chosen by their outcome.
        forward_return: float64, close of `end` / close - 1; NaN where unknown.
        horizon: candles a label looks ahead at most.
    """

    classes: NDArray[np.int8]
    end: NDArray[np.int64]
    latest_end: NDArray[np.int64]
    forward_return: NDArray[np.float64]
    horizon: int

    def __len__(self) -> int:
        return len(self.classes)


def thresholds(series: CandleSeries, config: Config) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Upper and lower threshold at each candle as positive fractions of its close, from candles up to it.

    Returns two float64 arrays of shape (n_candles,). NaN where the volatility is not known yet or is zero: a price
    that never moved gives no scale. A lower threshold that would reach a price of zero is NaN as well.
    """
    n = len(series)
    if config.threshold == "fixed":
        return np.full(n, config.up), np.full(n, config.down)
    measure = ewma_volatility if config.volatility == "ewma" else rolling_volatility
    scale = measure(series, config.volatility_span) * np.sqrt(config.horizon)
    scale[scale == 0] = np.nan
    upper, lower = scale * config.up_multiple, scale * config.down_multiple
    lower[lower >= 1] = np.nan
    return upper, lower


def label(series: CandleSeries, config: Config, places: NDArray[np.int64] | None = None) -> Targets:
    """Label every candle from what followed it.

    A label is known where the thresholds are known and the whole horizon lies in the history: whether a sample exists
    never depends on how it turned out. It is then the same on any longer history.

    Direction: buy when close[t + horizon] / close[t] - 1 > up, sell when it is < -down, hold otherwise.

    Triple barrier (López de Prado 2018, section 3.4): barriers at close[t] * (1 + up) and close[t] * (1 - down) on
    the highs and lows of candles t + 1 .. t + horizon. A candle that opens at or beyond a barrier touched that one
    first. When a candle touches both and its open says nothing, the order inside it is unknown, and either position
    may have been stopped out: the label is hold.

    `places`, rising int64 of shape (n_candles,), number the candles by a calendar on which short days are as long as
    others. The horizon of a direction is then so many places, and the close there is the last one up to it: 14 days
    stay 14 days. A triple barrier counts candles.
    """
    n = len(series)
    upper, lower = thresholds(series, config)
    known = np.isfinite(upper) & np.isfinite(lower)
    by_places = places is not None and config.kind == "direction"
    ahead = np.arange(n) + config.horizon
    if places is not None and by_places:
        ahead = np.searchsorted(places, places + config.horizon)  # where the label is known for certain
    known &= ahead < n
    start = np.flatnonzero(known)
    if places is not None and by_places:
        last = np.searchsorted(places, places[start] + config.horizon, side="right") - 1
        returns = series.close[last] / series.close[start] - 1.0
        found = _by_threshold(returns, upper[start], lower[start])
    elif config.kind == "direction":
        found, last = _direction(series, start, upper, lower, config.horizon)
    else:
        found, last = _triple_barrier(series, start, upper, lower, config)
    classes = np.full(n, UNKNOWN, dtype=np.int8)
    end = np.full(n, -1, dtype=np.int64)
    latest_end = np.full(n, -1, dtype=np.int64)
    forward_return = np.full(n, np.nan)
    classes[start] = found
    end[start] = last
    latest_end[start] = ahead[start]
    forward_return[start] = series.close[last] / series.close[start] - 1.0
    return Targets(
        classes=classes, end=end, latest_end=latest_end, forward_return=forward_return, horizon=config.horizon
    )


def trailing_classes(series: CandleSeries, config: Config) -> NDArray[np.int8]:
    """The class of the last `horizon` candles' return by the thresholds known now: the guess that what was goes on.

    Returns int8 of shape (n_candles,); -1 where the thresholds or the return are not known yet.
    """
    upper, lower = thresholds(series, config)
    past = np.full(len(series), np.nan)
    past[config.horizon :] = series.close[config.horizon :] / series.close[: -config.horizon] - 1.0
    classes = _by_threshold(past, upper, lower)
    classes[~(np.isfinite(past) & np.isfinite(upper) & np.isfinite(lower))] = UNKNOWN
    return classes


def _by_threshold(
    returns: NDArray[np.float64], upper: NDArray[np.float64], lower: NDArray[np.float64]
) -> NDArray[np.int8]:
    classes = np.full(len(returns), HOLD, dtype=np.int8)
    classes[returns > upper] = BUY
    classes[returns < -lower] = SELL
    return classes


def _direction(
    series: CandleSeries,
    start: NDArray[np.int64],
    upper: NDArray[np.float64],
    lower: NDArray[np.float64],
    horizon: int,
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    returns = series.close[start + horizon] / series.close[start] - 1.0
    return _by_threshold(returns, upper[start], lower[start]), start + horizon


def _triple_barrier(
    series: CandleSeries,
    start: NDArray[np.int64],
    upper: NDArray[np.float64],
    lower: NDArray[np.float64],
    config: Config,
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Classes and settling candles of `start`: one pass over the horizon, every pass over all labels still open."""
    ceiling = series.close * (1.0 + upper)
    floor = series.close * (1.0 - lower)
    classes = np.full(len(start), HOLD, dtype=np.int8)
    end = start + config.horizon
    open_labels = np.arange(len(start))
    for step in range(1, config.horizon + 1):
        origin = start[open_labels]
        candle = series.values[origin + step]
        above, below = candle[:, HIGH] >= ceiling[origin], candle[:, LOW] <= floor[origin]
        opens_above, opens_below = candle[:, OPEN] >= ceiling[origin], candle[:, OPEN] <= floor[origin]
        buy = above & (~below | (opens_above & ~opens_below))
        sell = below & (~above | (opens_below & ~opens_above))
        touched = above | below
        classes[open_labels[buy]] = BUY
        classes[open_labels[sell]] = SELL
        end[open_labels[touched]] = origin[touched] + step
        open_labels = open_labels[~touched]
    if config.vertical == "sign" and open_labels.size:
        origin = start[open_labels]
        move = np.sign(series.close[origin + config.horizon] - series.close[origin]).astype(np.int8)
        classes[open_labels] = HOLD + move
    return classes, end
