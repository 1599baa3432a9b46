"""What an anomaly detector reads of a market: channels without prices, so that no level of a price is ever unusual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries
from triptych.domain.candle import CLOSE
from triptych.domain.errors import NotEnoughData

CHANNELS: Final = ("return", "range", "volume", "signed volume")
"""What is made of the candles of each instrument, in order."""
SETTLE: Final = 96
"""Candles before a row from which on older ones change nothing of it."""
_HIGH, _LOW, _VOLUME = 1, 2, 4


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketChannels:
    """Channels of several instruments side by side.

    Attributes:
        columns: names, such as "BTC-USDT return".
        values: float64 (n_rows, channels); row i uses candles that closed by `close_time_ms[i]`.
        close_time_ms: int64 (n_rows,): when the row was known, UTC milliseconds.
    """

    columns: tuple[str, ...]
    values: NDArray[np.float64]
    close_time_ms: NDArray[np.int64]


def market_channels(
    series: Sequence[CandleSeries], extras: Mapping[str, Mapping[str, NDArray[np.float64]]] | None = None
) -> MarketChannels:
    """Log return, log range, log volume and signed volume of each instrument, at the times that all of them have.

    - return: log of close over the close before it. The returns of the other instruments stand beside it, which is
      what a detector needs to see two of them come apart.
    - range: log(1 + log(high / low) / mean of the last 96) : how wide the candle is for its time.
    - volume: log(1 + volume / mean of the last 96).
    - signed volume: volume / mean of the last 96, times where the close stands in the candle, -1 (low) to 1 (high).

    The first row is that of the second candle. Means are over the candles so far while there are fewer than 96.

    Args:
        series: candles of one timeframe, one entry an instrument.
        extras: more channels by symbol and name, such as spread, depth imbalance or funding, each float64 (n_candles,)
            of that symbol's series and known at the close of its candle.

    Raises NotEnoughData when fewer than two times are common to all.
    """
    common = series[0].open_time_ms
    for one in series[1:]:
        common = np.intersect1d(common, one.open_time_ms, assume_unique=True)
    if len(common) < 2:
        raise NotEnoughData(
            f"The {len(series)} instruments have {len(common)} candles at the same times; channels need 2 or more.",
            remedy="Choose instruments whose histories overlap.",
        )
    columns: list[str] = []
    parts: list[NDArray[np.float64]] = []
    for one in series:
        rows = np.searchsorted(one.open_time_ms, common)
        named = {**channels_of(one.values[rows]), **_chosen(extras or {}, one.symbol, rows)}
        columns += [f"{one.symbol} {name}" for name in named]
        parts += list(named.values())
    return MarketChannels(
        columns=tuple(columns),
        values=np.column_stack(parts)[1:],
        close_time_ms=common[1:] + series[0].timeframe.milliseconds,
    )


def channels_of(candles: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """The `CHANNELS` of one instrument, float64 (n_candles,), from candles (n_candles, 5); the first return is 0."""
    close, high, low, volume = (candles[:, i] for i in (CLOSE, _HIGH, _LOW, _VOLUME))
    width = np.log(high / low)
    relative = volume / np.maximum(_trailing_mean(volume), 1e-12)
    span = np.where(high > low, high - low, 1.0)
    place = np.where(high > low, (2.0 * close - high - low) / span, 0.0)
    return {
        "return": np.concatenate(([0.0], np.diff(np.log(close)))),
        "range": np.log1p(width / np.maximum(_trailing_mean(width), 1e-9)),
        "volume": np.log1p(relative),
        "signed volume": np.sign(place) * np.log1p(relative * np.abs(place)),
    }


def _trailing_mean(values: NDArray[np.float64], length: int = SETTLE) -> NDArray[np.float64]:
    """Mean of each value and those before it, `length` in all, fewer at the start.

    Summed value by value, always the oldest first: the same to the last bit however long the history is.
    """
    n = len(values)
    padded = np.concatenate((np.zeros(length - 1), values))
    total = np.zeros(n)
    for back in range(length):
        total += padded[back : back + n]
    return np.asarray(total / np.minimum(np.arange(1, n + 1), length))


def _chosen(
    extras: Mapping[str, Mapping[str, NDArray[np.float64]]], symbol: str, rows: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    return {name: np.asarray(values, dtype=np.float64)[rows] for name, values in extras.get(symbol, {}).items()}
