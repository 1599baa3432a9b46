"""A history of candles of one instrument as contiguous arrays: what windows are cut from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.domain.candle import BY_NETWORK, CANDLE_FIELDS, CLOSE, Candle, utc
from triptych.domain.errors import CandleError, NotEnoughData
from triptych.domain.instrument import Instrument
from triptych.domain.timeframe import Timeframe


@dataclass(frozen=True, kw_only=True, slots=True)
class CandleSeries:
    """Closed candles in time order.

    Attributes:
        instrument: what the candles belong to.
        timeframe: length of a candle.
        open_time_ms: int64 array of shape (n_candles,), strictly rising, UTC milliseconds.
        values: float64 array of shape (n_candles, 5): open, high, low, close, volume.
        books: float64 array of shape (n_candles, 4 * levels) in the order of `book_columns`: the order book as it stood
            when each candle closed. A level that it did not have is NaN, and all are where no book is known. None:
            nobody kept books.
        notes: figures by name that were read off the books up to each close, float64 of shape (n_candles,) each, NaN
            where they are not known; None: nobody read any.

    Raises CandleError for disorder, NaN, or prices that are not positive; it names the candle.
    """

    instrument: Instrument
    timeframe: Timeframe
    open_time_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    books: NDArray[np.float64] | None = None
    notes: Mapping[str, NDArray[np.float64]] | None = None

    def __post_init__(self) -> None:
        n = len(self.open_time_ms)
        if self.values.shape != (n, len(CANDLE_FIELDS)):
            raise CandleError(f"{self.symbol}: expected values of shape ({n}, 5), was {self.values.shape}.")
        if self.books is not None and (self.books.ndim != 2 or len(self.books) != n or self.books.shape[1] % 4):
            raise CandleError(f"{self.symbol}: expected books of shape ({n}, 4 * levels), was {self.books.shape}.")
        for name, values in (self.notes or {}).items():
            if values.shape != (n,):
                raise CandleError(f"{self.symbol}: expected notes {name} of shape ({n},), was {values.shape}.")
        late = np.flatnonzero(np.diff(self.open_time_ms) <= 0)
        if late.size:
            row = int(late[0]) + 1
            raise CandleError(
                f"{self.symbol}: candle {row} ({utc(int(self.open_time_ms[row]))} UTC) is not later than the one "
                "before it.",
                remedy="Import the file with `triptych data import`, which sorts and removes duplicates.",
            )
        bad = np.flatnonzero(~np.isfinite(self.values).all(axis=1) | (self.values[:, :4] <= 0).any(axis=1))
        if bad.size:
            row = int(bad[0])
            raise CandleError(
                f"{self.symbol}: candle {row} ({utc(int(self.open_time_ms[row]))} UTC) holds NaN or a price that is "
                f"not positive: {self.values[row].tolist()}.",
                remedy="Run `triptych data check` on the source.",
            )

    def __len__(self) -> int:
        return len(self.open_time_ms)

    @property
    def symbol(self) -> str:
        """Symbol of the instrument."""
        return self.instrument.symbol

    @property
    def close(self) -> NDArray[np.float64]:
        """Closing prices, shape (n_candles,)."""
        return self.values[:, CLOSE]

    @property
    def close_time_ms(self) -> NDArray[np.int64]:
        """When each candle closed, shape (n_candles,): the earliest time it may be used."""
        return self.open_time_ms + self.timeframe.milliseconds

    @property
    def bookless(self) -> NDArray[np.bool_]:
        """At which candles no book with a best bid and a best ask is known, of shape (n_candles,)."""
        if self.books is None:
            return np.ones(len(self), dtype=bool)
        bid, ask = self.books[:, 0], self.books[:, self.books.shape[1] // 2]
        return np.isnan(bid) | np.isnan(ask)

    @property
    def unheard(self) -> NDArray[np.bool_]:
        """At which candles no book is known, or not all that was to be read off the books; shape (n_candles,)."""
        unknown = self.bookless
        for one in (self.notes or {}).values():
            unknown = unknown | np.isnan(one)
        return unknown

    def head(self, n: int) -> CandleSeries:
        """The first `n` candles: history as it was known when candle n - 1 closed."""
        return self.between(0, n)

    def between(self, start: int, stop: int) -> CandleSeries:
        """Candles start .. stop - 1 by position."""
        return CandleSeries(
            instrument=self.instrument,
            timeframe=self.timeframe,
            open_time_ms=self.open_time_ms[start:stop],
            values=self.values[start:stop],
            books=None if self.books is None else self.books[start:stop],
            notes=None if self.notes is None else {name: one[start:stop] for name, one in self.notes.items()},
        )

    def candle(self, index: int) -> Candle:
        """One candle by position."""
        o, h, l, c, v = (float(x) for x in self.values[index])  # noqa: E741 - the field's own letters
        return Candle(
            symbol=self.symbol, timeframe=self.timeframe, open_time_ms=int(self.open_time_ms[index]),
            open=o, high=h, low=l, close=c, volume=v,
            book=None if self.books is None else tuple(self.books[index].tolist()),
            notes=None if self.notes is None else {name: float(one[index]) for name, one in self.notes.items()},
        )  # fmt: skip

    def windows(self, ends: NDArray[np.int64], length: int) -> NDArray[np.float64]:
        """Windows that end with the candles `ends`.

        Returns float64 of shape (n_ends, length, 5). Raises NotEnoughData when a window would start before the history.
        """
        ends = np.asarray(ends, dtype=np.int64)
        if ends.size and int(ends.min()) < length - 1:
            raise NotEnoughData(
                f"{self.symbol}: a window of {length} candles cannot end at candle {int(ends.min())}.",
                remedy=f"Bring at least {length} candles or shorten the window.",
            )
        windows: NDArray[np.float64] = self.values[ends[:, None] + np.arange(1 - length, 1)]
        return windows

    def fingerprint(self) -> str:
        """SHA-256 of symbol, timeframe, times, values, books and notes: the data hash that runs record.

        Notes by networks are left out: they follow from the recording, and differ in their last bits from one machine
        to the next.
        """
        digest = hashlib.sha256(f"{self.symbol}|{self.timeframe}".encode())
        digest.update(np.ascontiguousarray(self.open_time_ms, dtype="<i8").tobytes())
        digest.update(np.ascontiguousarray(self.values, dtype="<f8").tobytes())
        if self.books is not None:
            digest.update(np.ascontiguousarray(self.books, dtype="<f8").tobytes())
        for name in sorted(self.notes or {}):
            if not name.startswith(BY_NETWORK):
                digest.update(name.encode())
                digest.update(np.ascontiguousarray(self.notes[name], dtype="<f8").tobytes())  # type: ignore[index]
        return digest.hexdigest()
