"""What an anomaly detector reads of a market: channels without prices, so that no level of a price is ever unusual."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries
from triptych.domain.candle import CLOSE
from triptych.domain.errors import NotEnoughData
from triptych.features.book_measures import Sides
from triptych.features.extra_channels import (
    EXTRAS,
    NO_FUNDING,
    FundingHistory,
    book_channels,
    funding_channel,
    levels_of,
)

CHANNELS: Final = ("return", "range", "volume", "signed volume")
"""What is made of the candles of each instrument, in order; `EXTRAS` stand behind them."""
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
    series: Sequence[CandleSeries],
    extras: Collection[str] = (),
    *,
    funding: Mapping[str, FundingHistory] = NO_FUNDING,
) -> MarketChannels:
    """Log return, log range, log volume and signed volume of each instrument, at the times that all of them have.

    - return: log of close over the close before it. The returns of the other instruments stand beside it, which is
      what a detector needs to see two of them come apart.
    - range: log(1 + log(high / low) / mean of the last 96) : how wide the candle is for its time.
    - volume: log(1 + volume / mean of the last 96).
    - signed volume: log(1 + volume / mean of the last 96, times how far the close stands from the candle's middle),
      with the sign of that place, which is -1 at the low and 1 at the high.

    The first row is that of the second candle. Means are over the candles so far while there are fewer than 96.

    Args:
        series: candles of one timeframe, one entry an instrument.
        extras: channels of each instrument beyond those of its candles, of `EXTRAS`; those of the order book are made
            of the books beside the candles (see `extra_channels`). NaN where they were not known at the close.
        funding: rates by symbol, for `funding`.

    Raises NotEnoughData when fewer than two times are common to all, or books have too few levels.
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
        close_ms = one.close_time_ms[rows]
        named = {**channels_of(one.values[rows]), **book_channels(_book(one, rows, extras), extras, len(rows))}
        if "funding" in extras:
            named["funding"] = funding_channel(funding.get(one.symbol), close_ms)
        columns += [f"{one.symbol} {name}" for name in named]
        parts += list(named.values())
    return MarketChannels(
        columns=tuple(columns),
        values=np.column_stack(parts)[1:],
        close_time_ms=common[1:] + series[0].timeframe.milliseconds,
    )


def symbols_and_extras(columns: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The instruments and the extra channels of columns that `market_channels` made; None for any other columns."""
    symbols = tuple(dict.fromkeys(name.split(" ", 1)[0] for name in columns))
    extras = tuple(extra for extra in EXTRAS if any(name.endswith(f" {extra}") for name in columns))
    made = tuple(f"{symbol} {name}" for symbol in symbols for name in (*CHANNELS, *extras))
    return (symbols, extras) if made == tuple(columns) else None


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


def _book(one: CandleSeries, rows: NDArray[np.int64], extras: Collection[str]) -> Sides | None:
    """The order book at the closes of `rows`; None where nobody kept books, or nothing is read of them."""
    levels = levels_of(extras)
    if one.books is None or not levels:
        return None
    kept = one.books.shape[1] // 4
    if kept < levels:
        raise NotEnoughData(
            f"{one.symbol}: channels read {levels} levels of order book a side, and {kept} are there.",
            remedy="Bring books of more levels, or leave depth_imbalance out.",
        )
    return Sides(*np.split(one.books[rows], 4, axis=1))
