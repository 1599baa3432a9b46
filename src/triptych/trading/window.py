"""The last candles of one instrument, always as one contiguous array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CANDLE_FIELDS, Candle, CandleSeries, Instrument, Timeframe, utc
from triptych.domain.errors import DataError

ROOM: Final = 50_000
"""Candles more than its capacity that a window has room for, at most."""


class CandleWindow:
    """Keeps the last `capacity` closed candles.

    Candles are written into an array that is longer; when it is full, the newest are moved to its front. So
    the last n candles are a slice at any time, and nothing is copied candle by candle.

    Attributes:
        last_close_ms: when the newest candle closed, UTC milliseconds; -1 while there is none.
    """

    def __init__(self, capacity: int, instrument: Instrument) -> None:
        self.last_close_ms = -1
        self._instrument = instrument
        self._timeframe: Timeframe | None = None
        self._capacity = max(capacity, 1)
        rows = self._capacity + min(7 * self._capacity, ROOM)
        self._values = np.empty((max(rows, 64), len(CANDLE_FIELDS)))
        self._read_only = self._values.view()
        self._read_only.flags.writeable = False
        self._times = np.empty(len(self._values), dtype=np.int64)
        self._books: NDArray[np.float64] | None = None
        self._notes: dict[str, NDArray[np.float64]] = {}
        self._end = 0

    def append(self, candle: Candle) -> None:
        """Add a closed candle. Raises DataError when it is not later than the one before."""
        close_ms = candle.close_time_ms
        if close_ms <= self.last_close_ms:
            raise DataError(
                f"{candle.symbol}: the candle of {utc(candle.open_time_ms)} UTC is not later than the one before it.",
                remedy="Feed each closed candle once, in time order.",
            )
        self.last_close_ms, self._timeframe = close_ms, candle.timeframe
        end = self._end
        if end == len(self._values):
            end = self._capacity - 1
            self._values[:end] = self._values[len(self._values) - end :].copy()
            self._times[:end] = self._times[len(self._times) - end :].copy()
            if self._books is not None:
                self._books[:end] = self._books[len(self._books) - end :].copy()
            for kept in self._notes.values():
                kept[:end] = kept[len(kept) - end :].copy()
        self._values[end] = (candle.open, candle.high, candle.low, candle.close, candle.volume)
        self._times[end] = close_ms
        if candle.book is not None and self._books is None:
            self._books = np.full((len(self._values), len(candle.book)), np.nan)
        if self._books is not None:
            self._books[end] = np.nan if candle.book is None else candle.book
        self._note(end, candle.notes or {})
        self._end = end + 1

    def _note(self, row: int, notes: Mapping[str, float]) -> None:
        for name in notes.keys() - self._notes.keys():
            self._notes[name] = np.full(len(self._values), np.nan)
        for name, kept in self._notes.items():
            kept[row] = notes.get(name, np.nan)

    def __len__(self) -> int:
        """Candles that can be asked for: at most the capacity."""
        return min(self._end, self._capacity)

    def last(self, n: int) -> NDArray[np.float64] | None:
        """The last n candles, float64 of shape (n, 5), oldest first; None while there are fewer.

        A read-only view, valid until the next `append`: whoever keeps it must copy it. Raises IndexError for more than
        the capacity.
        """
        if n > self._capacity:
            raise IndexError(f"The window keeps {self._capacity} candles, {n} were asked for.")
        end = self._end
        return self._read_only[end - n : end] if n <= end else None

    def last_times(self, n: int) -> NDArray[np.int64]:
        """Close times of the last n candles, UTC ms, int64 of shape (n,). Raises IndexError when there are fewer."""
        if n > len(self):
            raise IndexError(f"The window holds {len(self)} candles, {n} were asked for.")
        return self._times[self._end - n : self._end].copy()

    def since(self, time_ms: int) -> list[Candle]:
        """The candles kept that closed after a time, oldest first."""
        n, step = len(self), self._timeframe
        if not n or step is None:
            return []
        first = self._end - n + int(np.searchsorted(self._times[self._end - n : self._end], time_ms, side="right"))
        symbol, length = self._instrument.symbol, step.milliseconds
        return [
            Candle(
                symbol=symbol, timeframe=step, open_time_ms=int(self._times[i]) - length,
                **dict(zip(CANDLE_FIELDS, self._values[i].tolist(), strict=True)),
            )
            for i in range(first, self._end)
        ]  # fmt: skip

    def latest(self, most: int) -> CandleSeries | None:
        """As many of the last `most` candles as are kept, as a history of their own; None while there is none."""
        n = min(most, len(self))
        return self.history(n) if n else None

    def history(self, n: int) -> CandleSeries | None:
        """The last n candles as a history of their own; None while there are fewer."""
        values = self.last(n)
        if values is None or self._timeframe is None:
            return None
        opens = self.last_times(n) - self._timeframe.milliseconds
        return CandleSeries(
            instrument=self._instrument, timeframe=self._timeframe, open_time_ms=opens, values=values.copy(),
            books=None if self._books is None else self._books[self._end - n : self._end].copy(),
            notes={name: kept[self._end - n : self._end].copy() for name, kept in self._notes.items()} or None,
        )  # fmt: skip
