"""The order book at each candle's close, drawn when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import BookSnapshot, Timeframe
from triptych.domain import Config as BaseConfig
from triptych.market.synthetic.history import History
from triptych.market.synthetic.streams import bits, normals_from, uniforms

_PER_CANDLE, _PER_LEVEL = 2, 4  # draws: side of the last trade and spread; gap and size on either side


class Config(BaseConfig):
    """Shape of the order book."""

    levels: int = Field(default=10, ge=1, le=50, description="Price levels on each side.")
    spread: float = Field(
        default=0.00015,
        gt=0,
        le=0.01,
        description="Ordinary distance of best ask and best bid, as a fraction of the price; at least one price "
        "step, wider when volatility is high.",
    )
    volatility_power: float = Field(
        default=0.6,
        ge=0,
        le=2,
        description="Power of relative volatility by which the spread widens and the depth thins out.",
    )
    depth: float = Field(
        default=0.008,
        gt=0,
        le=1,
        description="Ordinary size of one level, as a share of an ordinary candle's turnover.",
    )
    noise: float = Field(
        default=0.5,
        ge=0,
        le=2,
        description="Standard deviation of the log size of a level and, by half, of the spread.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class BookLevels:
    """Order books of consecutive candle closes. Row 0 of each is candle `start`; level 0 is the best price.

    Attributes:
        symbol: of the instrument.
        time_ms: int64 array of shape (n,): closes of the candles, UTC milliseconds.
        bid_price, ask_price: float64 arrays of shape (n, levels), falling and rising, in quote currency.
        bid_size, ask_size: float64 arrays of shape (n, levels), in base units, above zero.
    """

    symbol: str
    time_ms: NDArray[np.int64]
    bid_price: NDArray[np.float64]
    bid_size: NDArray[np.float64]
    ask_price: NDArray[np.float64]
    ask_size: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.time_ms)

    @property
    def mid(self) -> NDArray[np.float64]:
        """Middle between best bid and best ask, shape (n,)."""
        return (self.bid_price[:, 0] + self.ask_price[:, 0]) / 2

    @property
    def spread(self) -> NDArray[np.float64]:
        """Best ask less best bid, shape (n,), in quote currency."""
        return self.ask_price[:, 0] - self.bid_price[:, 0]

    def imbalance(self, levels: int) -> NDArray[np.float64]:
        """(bid depth - ask depth) / (bid depth + ask depth) over the best `levels`, shape (n,), from -1 to 1."""
        bid, ask = self.bid_size[:, :levels].sum(axis=1), self.ask_size[:, :levels].sum(axis=1)
        values: NDArray[np.float64] = (bid - ask) / (bid + ask)
        return values

    def snapshot(self, row: int) -> BookSnapshot:
        """One book by position."""
        return BookSnapshot(
            symbol=self.symbol,
            time_ms=int(self.time_ms[row]),
            bids=tuple(zip(self.bid_price[row].tolist(), self.bid_size[row].tolist(), strict=True)),
            asks=tuple(zip(self.ask_price[row].tolist(), self.ask_size[row].tolist(), strict=True)),
        )


def draw_levels(
    config: Config, seed: int, history: History, *, tilt: float, typical_volatility: float, start: int, stop: int
) -> BookLevels:
    """Books at the closes of candles start .. stop - 1.

    The last trade of the candle took the best bid or the best ask, so its close is one of the two; the rest of the
    spread opens on the other side. Every candle owns a fixed stretch of the stream, which is what lets any of them
    be drawn alone.
    """
    profile, series = history.profile, history.series
    width = _PER_CANDLE + _PER_LEVEL * config.levels
    generator = np.random.Generator(bits(seed, "book", series.symbol).advance(start * width))
    draws = uniforms(generator, stop - start, width)
    level_draws = draws[:, _PER_CANDLE:].reshape(-1, _PER_LEVEL, config.levels)
    relative = (history.volatility[start:stop] / (typical_volatility * profile.volatility)) ** config.volatility_power
    price_scale, quantity_scale = 10.0**profile.price_decimals, 10.0**profile.quantity_decimals
    close = np.rint(series.close[start:stop] * price_scale)
    ordinary = config.spread * close
    spread = np.rint(ordinary * relative * np.exp(0.5 * config.noise * normals_from(draws[:, 1])))
    spread = np.clip(spread, 1.0, np.floor(0.1 * close))
    took_bid = draws[:, 0] < 0.5
    best_bid = np.where(took_bid, close, close - spread)
    # Gaps between levels are exponential around half an ordinary spread; the upper limit keeps the last bid above zero.
    gaps = np.rint(-0.5 * (ordinary * relative)[:, None, None] * np.log(level_draws[:, :2]))
    gaps = np.clip(gaps, 1.0, np.floor(0.5 * close / config.levels)[:, None, None])
    gaps[:, :, 0] = 0.0
    bid = best_bid[:, None] - np.cumsum(gaps[:, 0], axis=1)
    ask = (best_bid + spread)[:, None] + np.cumsum(gaps[:, 1], axis=1)
    days = series.timeframe.milliseconds / Timeframe.parse("1d").milliseconds
    base = config.depth * profile.daily_turnover * days / (series.close[start:stop] * relative)
    lean = tilt * history.pressure.visible[start:stop]
    farther = 1.0 + 0.5 * np.sqrt(np.arange(config.levels))  # depth grows away from the touch
    size = base[:, None, None] * farther * np.exp(config.noise * normals_from(level_draws[:, 2:]))
    size *= np.exp(np.stack([lean, -lean], axis=1))[:, :, None]
    size = np.maximum(np.rint(size * quantity_scale), 1.0) / quantity_scale
    return BookLevels(
        symbol=series.symbol,
        time_ms=series.close_time_ms[start:stop],
        bid_price=bid / price_scale, bid_size=size[:, 0],
        ask_price=ask / price_scale, ask_size=size[:, 1],
    )  # fmt: skip
