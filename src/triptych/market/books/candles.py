"""Candles from trades or from the mids of books, so that minutes of order book have candles beside them."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries, Instrument, Timeframe
from triptych.domain.errors import NotEnoughData
from triptych.market.books.tape import BookTape
from triptych.market.books.trades import Trades


def candles_from_trades(
    trades: Trades, timeframe: str | Timeframe, *, fill: bool = True, instrument: Instrument | None = None
) -> CandleSeries:
    """Candles of trades on the grid of `Timeframe.floor`.

    The first candle is left out unless a trade stands on its opening: it may have begun before the file. The last one
    is left out too, for only a later trade tells that it has closed.

    Args:
        trades: in time order.
        timeframe: length of a candle.
        fill: give a stretch without trades flat candles at the last price with volume 0; otherwise it has none.
        instrument: of the candles; None: the trades' symbol and default rules.

    Raises NotEnoughData when the trades do not fill one candle.
    """
    return _candles(
        trades.symbol, trades.time_ms, trades.price, trades.size, Timeframe.parse(timeframe), fill, instrument
    )


def candles_from_mids(
    tape: BookTape, timeframe: str | Timeframe, *, fill: bool = True, instrument: Instrument | None = None
) -> CandleSeries:
    """Candles of the middle between best bid and best ask; volume is 0. Rows with an empty side are passed over.

    See `candles_from_trades` for the arguments, the candles left out, and the error.
    """
    known = ~np.isnan(tape.mid)
    mid = tape.mid[known]
    return _candles(
        tape.symbol, tape.time_ms[known], mid, np.zeros(len(mid)), Timeframe.parse(timeframe), fill, instrument
    )


def _candles(
    symbol: str,
    time_ms: NDArray[np.int64],
    price: NDArray[np.float64],
    size: NDArray[np.float64],
    timeframe: Timeframe,
    fill: bool,
    instrument: Instrument | None,
) -> CandleSeries:
    length_ms, origin = timeframe.milliseconds, timeframe.floor(0)
    bucket = (time_ms - origin) // length_ms
    starts = np.flatnonzero(np.r_[True, bucket[1:] != bucket[:-1]]) if len(bucket) else np.empty(0, np.int64)
    begins_inside = bool(len(bucket)) and time_ms[0] > bucket[0] * length_ms + origin
    kept = starts[1 if begins_inside else 0 : -1]
    if not len(kept):
        raise NotEnoughData(
            f"{symbol}: {len(time_ms)} prices do not fill one candle of {timeframe}.",
            remedy="Choose a shorter timeframe, or bring more data.",
        )
    ends = np.r_[starts, len(bucket)][np.searchsorted(starts, kept) + 1]
    values = np.column_stack(
        [
            price[kept],
            np.maximum.reduceat(price, starts)[np.searchsorted(starts, kept)],
            np.minimum.reduceat(price, starts)[np.searchsorted(starts, kept)],
            price[ends - 1],
            np.add.reduceat(size, starts)[np.searchsorted(starts, kept)],
        ]
    )
    buckets = bucket[kept]
    if fill:
        # Up to the candle of the last price: those before it are closed, with trades or without.
        wanted = np.arange(buckets[0], bucket[-1])
        known = np.searchsorted(buckets, wanted, side="right") - 1
        is_there = buckets[known] == wanted
        close = values[known, 3]
        flat = np.column_stack([close, close, close, close, np.zeros(len(wanted))])
        values, buckets = np.where(is_there[:, None], values[known], flat), wanted
    return CandleSeries(
        instrument=instrument or Instrument(symbol=symbol, price_step=_step(price)),
        timeframe=timeframe,
        open_time_ms=(buckets * length_ms + origin).astype(np.int64),
        values=values,
    )


def _step(prices: NDArray[np.float64]) -> Decimal:
    """The decimal step on which all prices lie, at most eight digits."""
    distinct = np.unique(prices)
    for decimals in range(8):
        if np.allclose(np.round(distinct, decimals), distinct, rtol=0, atol=1e-9):
            return Decimal(1).scaleb(-decimals)
    return Decimal(1).scaleb(-8)
