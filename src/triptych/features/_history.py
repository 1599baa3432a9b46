"""Candles as columns, with the building blocks that several factors share; each is computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
import talib
from numpy.typing import NDArray

from triptych.domain import CLOSE, HIGH, LOW, OPEN, VOLUME
from triptych.domain.errors import NotEnoughData
from triptych.features._rolling import LEAST, STILL, Array, ema, lag, ratio, rolling_mean, rolling_sum, wilder
from triptych.features.book_measures import Sides


class History:
    """What factors are computed from.

    Attributes:
        open, high, low, close, volume: float64 arrays of shape (n_candles,), contiguous.
        open_time_ms, close_time_ms: of each candle, int64 of shape (n_candles,), UTC.
        timeframe_ms: length of a candle.
        least: distance between prices below which it is rounding, shape (n_candles,).
        still: mean step below which the price has stood still, shape (n_candles,).
        read_from: the first row that is read; what is dear may be left unknown (NaN) in the rows before it.
    """

    def __init__(
        self,
        values: NDArray[np.float64],
        open_time_ms: NDArray[np.int64],
        timeframe_ms: int,
        books: NDArray[np.float64] | None = None,
        notes: Mapping[str, NDArray[np.float64]] | None = None,
        *,
        read_from: int = 0,
    ) -> None:
        columns: Array = np.ascontiguousarray(values.T)
        self.open: Array = columns[OPEN]
        self.high: Array = columns[HIGH]
        self.low: Array = columns[LOW]
        self.close: Array = columns[CLOSE]
        self.volume: Array = columns[VOLUME]
        self.open_time_ms = open_time_ms
        self.close_time_ms = open_time_ms + timeframe_ms
        self.timeframe_ms = timeframe_ms
        self.least: Array = LEAST * self.close
        self.still: Array = STILL * self.close
        self.read_from = read_from
        self._kept: dict[tuple[str, int], Array] = {}
        self._books = books
        self._notes = notes or {}

    def once(self, what: str, n: int, compute: Callable[[], Array]) -> Array:
        """What `compute` gives, computed at the first call with this name and number."""
        if (what, n) not in self._kept:
            self._kept[what, n] = compute()
        return self._kept[what, n]

    def book(self, levels: int) -> Sides:
        """The best `levels` of the order book at each close; all unknown where nobody kept books.

        Raises NotEnoughData when the books kept have fewer levels.
        """
        if self._books is None:
            return Sides(*np.full((4, len(self.close), levels), np.nan))
        kept = self._books.shape[1] // 4
        if levels > kept:
            raise NotEnoughData(
                f"A factor reads {levels} levels of order book a side, and the candles carry {kept}.",
                remedy="Bring books of more levels, or leave the factor out.",
            )
        return Sides(*np.split(self._books, 4, axis=1)).top(levels)

    def note(self, name: str) -> Array:
        """A figure that was read off the books up to each close, shape (n_candles,); unknown where nobody read it."""
        found = self._notes.get(name)
        return np.full(len(self.close), np.nan) if found is None else found

    @cached_property
    def previous_close(self) -> Array:
        """Close of the candle before; NaN at first."""
        return lag(self.close, 1)

    @cached_property
    def log_return(self) -> Array:
        """Logarithm of close over previous close."""
        return np.log(self.close / self.previous_close)

    @cached_property
    def typical_price(self) -> Array:
        """Mean of high, low and close."""
        return (self.high + self.low + self.close) / 3.0

    @cached_property
    def true_range(self) -> Array:
        """Larger of high and previous close less the smaller of low and previous close."""
        return np.maximum(self.high, self.previous_close) - np.minimum(self.low, self.previous_close)

    @cached_property
    def close_location(self) -> Array:
        """Where the close stands between low (-1) and high (+1); 0 in a candle without range."""
        return ratio(2.0 * self.close - self.high - self.low, self.high - self.low, least=self.least)

    @cached_property
    def accumulation(self) -> Array:
        """Volume, signed by the close's place in the candle: the steps of TA-Lib's AD line."""
        return self.close_location * self.volume

    def sma(self, n: int) -> Array:
        """Mean of the last `n` closes."""
        return self.once("sma", n, lambda: rolling_mean(self.close, n))

    def ema(self, n: int) -> Array:
        """Exponential mean of the close."""
        return self.once("ema", n, lambda: ema(self.close, n))

    def ema_of_ema(self, n: int) -> Array:
        """Exponential mean of the exponential mean of the close."""
        return self.once("ema of ema", n, lambda: ema(self.ema(n), n))

    def atr(self, n: int) -> Array:
        """Wilder's mean of the true range."""
        return self.once("atr", n, lambda: wilder(self.true_range, n))

    def mean_volume(self, n: int) -> Array:
        """Mean volume of the last `n` candles."""
        return self.once("mean volume", n, lambda: rolling_mean(self.volume, n))

    def highest(self, n: int) -> Array:
        """Highest high of the last `n` candles."""
        return self.once("highest", n, lambda: talib.MAX(self.high, n))

    def lowest(self, n: int) -> Array:
        """Lowest low of the last `n` candles."""
        return self.once("lowest", n, lambda: talib.MIN(self.low, n))

    def place_in_range(self, n: int) -> Array:
        """Where the close stands between the lowest low (0) and the highest high (1); 0.5 without range."""
        width = self.highest(n) - self.lowest(n)
        return self.once("place", n, lambda: ratio(self.close - self.lowest(n), width, least=self.least, neutral=0.5))

    def rsi(self, n: int) -> Array:
        """Wilder's relative strength index, 0..100; 50 when the price has stood still."""
        return self.once("rsi", n, lambda: self._rsi(n))

    def _rsi(self, n: int) -> Array:
        step = self.close - self.previous_close
        gain, loss = wilder(np.maximum(step, 0.0), n), wilder(np.maximum(-step, 0.0), n)
        return 100.0 * ratio(gain, gain + loss, least=self.still, neutral=0.5)

    def directional(self, n: int) -> Array:
        """Wilder's +DI and -DI, 0..100, shape (2, n_candles); 0 when the price has stood still."""
        return self.once("directional", n, lambda: self._directional(n))

    def _directional(self, n: int) -> Array:
        up, down = self.high - lag(self.high, 1), lag(self.low, 1) - self.low
        plus = np.where((up > down) & (up > 0), up, 0.0 * up)
        minus = np.where((down > up) & (down > 0), down, 0.0 * down)
        return np.stack([100.0 * ratio(wilder(moved, n), self.atr(n), least=self.still) for moved in (plus, minus)])

    def share_of_range(self, n: int) -> Array:
        """Buying pressure over true range, both summed over `n` candles: a part of the ultimate oscillator."""
        pressure = self.close - np.minimum(self.low, self.previous_close)
        return ratio(rolling_sum(pressure, n), rolling_sum(self.true_range, n), least=self.least, neutral=0.5)
