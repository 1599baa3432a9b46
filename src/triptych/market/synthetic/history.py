"""One instrument's history: from its volatility, the market's factor and its pressure to candles on the price grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries, Timeframe
from triptych.domain.errors import DataError
from triptych.market.synthetic import intrabar, jumps, pressure, volatility, volume
from triptych.market.synthetic.names import Profile
from triptych.market.synthetic.pressure import Pressure
from triptych.market.synthetic.streams import normals, stream

# A price has at least so many steps (room for the book), and at least so many in a typical candle's volatility:
# rounding makes returns bounce, and a bounce can be predicted. Above the most, floats lose the last step.
_FEWEST_STEPS, _FEWEST_STEPS_OF_VOLATILITY, _MOST_STEPS = 500.0, 5.0, 1e13
_MEAN_TURNOVER = 2.8  # about what volume.draw_turnover averages with the default configuration


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """What all instruments share; arrays of shape (n_candles,).

    Attributes:
        open_time_ms: UTC milliseconds.
        timeframe: length of a candle.
        volatility: regimes, shared volatility and correlation.
        factor: standard normal return of the market.
        jump: the market's jumps in multiples of volatility; `n_jumps` is their number, `jump_rate` its mean.
        own_jump_rate: mean number of each instrument's own jumps.
        volume_season: log multiplier of volume.
    """

    open_time_ms: NDArray[np.int64]
    timeframe: Timeframe
    volatility: volatility.MarketVolatility
    factor: NDArray[np.float64]
    jump: NDArray[np.float64]
    n_jumps: NDArray[np.int64]
    jump_rate: NDArray[np.float64]
    own_jump_rate: NDArray[np.float64]
    volume_season: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The configuration of the parts a history is made of."""

    volatility: volatility.Config
    jumps: jumps.Config
    pressure: pressure.Config
    intrabar: intrabar.Config
    volume: volume.Config


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """Candles of one instrument and the hidden truth behind them; arrays of shape (n_candles,)."""

    profile: Profile
    series: CandleSeries
    pressure: Pressure
    volatility: NDArray[np.float64]
    n_jumps: NDArray[np.int64]


def draw_history(parts: Parts, seed: int, signal: float, profile: Profile, market: Market) -> History:
    """Draw one instrument. Raises DataError when its price leaves the price grid (see docs/synthetic-market.md)."""
    symbol, n = profile.instrument.symbol, len(market.open_time_ms)
    sigma = volatility.instrument_volatility(parts.volatility, seed, symbol, market.volatility, profile.volatility)
    state = pressure.draw_pressure(parts.pressure, seed, symbol, n)
    visible = state.visible.astype(np.float64)
    shared = np.minimum(market.volatility.correlation * profile.coupling, 0.97)
    own = normals(stream(seed, "returns", symbol), n)
    shock = np.sqrt(shared) * market.factor + np.sqrt(1.0 - shared) * own
    own_jump, own_count = jumps.jump_sizes(parts.jumps, seed, market.own_jump_rate, symbol)
    # The mean of exp(shock and jumps) is taken back, so that without signal the price is a martingale.
    drift = (
        -0.5 * sigma**2
        - jumps.compensator(parts.jumps, market.jump_rate, sigma)
        - jumps.compensator(parts.jumps, market.own_jump_rate, sigma)
        + signal * parts.pressure.strength * sigma * state.acting
    )
    gradual, jump = drift + sigma * shock, sigma * (market.jump + own_jump)
    log_return = gradual + jump
    extremes = intrabar.draw_extremes(
        parts.intrabar, seed, symbol,
        gradual=gradual, jump=jump, volatility=sigma, lean=parts.pressure.wick_bias * visible,
    )  # fmt: skip
    typical = volatility.typical_volatility(parts.volatility, market.timeframe)
    prices = _on_the_grid(profile, log_return, extremes, typical)
    turnover = volume.draw_turnover(
        parts.volume, seed, symbol,
        relative_range=(extremes.high - extremes.low) / typical,
        log_season=market.volume_season,
        lean=parts.pressure.volume_tilt * visible * np.sign(log_return),
    )  # fmt: skip
    days = market.timeframe.milliseconds / Timeframe.parse("1d").milliseconds
    scale = 10.0**profile.quantity_decimals
    quantity = (
        np.maximum(np.rint(turnover / _MEAN_TURNOVER * profile.daily_turnover * days / prices[:, 3] * scale), 1.0)
        / scale
    )
    series = CandleSeries(
        instrument=profile.instrument,
        timeframe=market.timeframe,
        open_time_ms=market.open_time_ms,
        values=np.column_stack([prices, quantity]),
    )
    return History(
        profile=profile, series=series, pressure=state, volatility=sigma, n_jumps=market.n_jumps + own_count
    )  # fmt: skip


def _on_the_grid(
    profile: Profile, log_return: NDArray[np.float64], extremes: intrabar.Extremes, typical: float
) -> NDArray[np.float64]:
    """Open, high, low and close on the grid, shape (n_candles, 4). A candle opens where the one before it closed."""
    scale = 10.0**profile.price_decimals
    log_close = np.log(profile.first_price * scale) + np.cumsum(log_return)
    log_open = log_close - log_return
    fewest = max(_FEWEST_STEPS, _FEWEST_STEPS_OF_VOLATILITY / typical)
    outside = np.flatnonzero((log_close < np.log(fewest)) | (log_close > np.log(_MOST_STEPS)))
    if outside.size:
        raise DataError(
            f"{profile.instrument.symbol}: the synthetic price leaves its grid at candle {int(outside[0])}.",
            remedy="Ask for fewer candles, lower `volatility.typical`, or take another seed.",
        )
    close = np.rint(np.exp(log_close))
    open_ = np.concatenate([np.rint([profile.first_price * scale]), close[:-1]])
    high = np.maximum(np.rint(np.exp(log_open + extremes.high)), np.maximum(open_, close))
    low = np.minimum(np.rint(np.exp(log_open + extremes.low)), np.minimum(open_, close))
    # Whole steps over a power of ten: the nearest float of each decimal price, the same as if read from text.
    return np.column_stack([open_, high, low, close]) / scale
