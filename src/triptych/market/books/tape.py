"""The sampled form of a book's history: the best K levels a side at many times, as arrays and as a Parquet file."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from triptych.domain import BookSnapshot, book_columns, files, utc
from triptych.domain.errors import DataError, NotEnoughData

SYMBOL_KEY: Final = b"triptych.symbol"
RHYTHM_SHARE: Final = 0.9
LONGEST_SILENCE_MS: Final = 60_000.0
_SIDES: Final = (("bid", "bid_prices", "bid_sizes", -1.0), ("ask", "ask_prices", "ask_sizes", 1.0))


@dataclass(frozen=True, kw_only=True, slots=True)
class BookTape:
    """Books of one instrument in time order.

    Attributes:
        symbol: instrument.
        time_ms: int64 of shape (n,), never falling, UTC: the first millisecond at which the row was true.
        bid_prices, bid_sizes, ask_prices, ask_sizes: float64 of shape (n, K), best level first; price in quote
            currency, size in base units. A level that the book did not have is NaN in price and size.
        segment: int64 of shape (n,), never falling: rows of equal number belong to one unbroken stretch; a lost
            message, a resync or a hole in the table begins a new one. One stretch by default; see `segments_of`.

    Raises DataError, naming row and level, for times that fall, arrays of other shapes, a crossed book, levels out of
    order, a price that is not positive, a negative size, or a hole between levels.
    """

    symbol: str
    time_ms: NDArray[np.int64]
    bid_prices: NDArray[np.float64]
    bid_sizes: NDArray[np.float64]
    ask_prices: NDArray[np.float64]
    ask_sizes: NDArray[np.float64]
    segment: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        if self.segment.size == 0:
            object.__setattr__(self, "segment", np.zeros(len(self.time_ms), dtype=np.int64))
        self._check_shapes()
        self._check_times()
        for side, prices, sizes, direction in _SIDES:
            self._check_side(side, getattr(self, prices), getattr(self, sizes), direction)
        crossed = np.flatnonzero(self.bid_prices[:, 0] >= self.ask_prices[:, 0])
        if crossed.size:
            row = int(crossed[0])
            raise self._error(
                row, f"crossed book, best bid {self.bid_prices[row, 0]} >= best ask {self.ask_prices[row, 0]}"
            )

    def __len__(self) -> int:
        return len(self.time_ms)

    @property
    def levels(self) -> int:
        """Levels a side."""
        return int(self.bid_prices.shape[1])

    @property
    def mid(self) -> NDArray[np.float64]:
        """Middle between best bid and best ask, shape (n,); NaN where a side is empty."""
        return (self.bid_prices[:, 0] + self.ask_prices[:, 0]) / 2

    def rows(self, levels: int | None = None) -> NDArray[np.float64]:
        """Rows for the encodings: float64 of shape (n, 4 * levels) in the order of `book_columns(levels)`.

        Raises NotEnoughData when the tape has fewer levels than asked for.
        """
        levels = self.levels if levels is None else levels
        self._require(levels)
        blocks = (self.bid_prices, self.bid_sizes, self.ask_prices, self.ask_sizes)
        return np.concatenate([block[:, :levels] for block in blocks], axis=1)

    def between(self, start: int, stop: int) -> BookTape:
        """Rows start .. stop - 1 by position, as views."""
        return BookTape(
            symbol=self.symbol, time_ms=self.time_ms[start:stop], segment=self.segment[start:stop],
            bid_prices=self.bid_prices[start:stop], bid_sizes=self.bid_sizes[start:stop],
            ask_prices=self.ask_prices[start:stop], ask_sizes=self.ask_sizes[start:stop],
        )  # fmt: skip

    def top(self, levels: int) -> BookTape:
        """The best `levels` of each side, as views. Raises NotEnoughData when there are fewer."""
        self._require(levels)
        return BookTape(
            symbol=self.symbol, time_ms=self.time_ms, segment=self.segment,
            bid_prices=self.bid_prices[:, :levels], bid_sizes=self.bid_sizes[:, :levels],
            ask_prices=self.ask_prices[:, :levels], ask_sizes=self.ask_sizes[:, :levels],
        )  # fmt: skip

    def snapshot(self, row: int) -> BookSnapshot:
        """One book by position."""
        sides = []
        for _, prices, sizes, _ in _SIDES:
            price, size = getattr(self, prices)[row], getattr(self, sizes)[row]
            there = ~np.isnan(price)
            sides.append(tuple(zip(price[there].tolist(), size[there].tolist(), strict=True)))
        return BookSnapshot(symbol=self.symbol, time_ms=int(self.time_ms[row]), bids=sides[0], asks=sides[1])

    def _require(self, levels: int) -> None:
        if not 1 <= levels <= self.levels:
            raise NotEnoughData(
                f"{self.symbol}: the tape has {self.levels} levels a side, asked for were {levels}.",
                remedy=f"Ask for 1 to {self.levels}, or read the source with more levels.",
            )

    def _error(self, row: int, problem: str) -> DataError:
        when = f" ({utc(int(self.time_ms[row]))} UTC)" if row < len(self.time_ms) else ""
        return DataError(f"{self.symbol}: row {row}{when} of the books: {problem}.")

    def _check_shapes(self) -> None:
        n = len(self.time_ms)
        shape = self.bid_prices.shape
        if len(shape) != 2 or shape[0] != n or shape[1] < 1:
            raise DataError(f"{self.symbol}: expected bid prices of shape ({n}, levels), was {shape}.")
        for name in ("bid_sizes", "ask_prices", "ask_sizes"):
            if getattr(self, name).shape != shape:
                raise DataError(
                    f"{self.symbol}: expected {name.replace('_', ' ')} of shape {shape}, "
                    f"was {getattr(self, name).shape}."
                )
        if self.segment.shape != (n,):
            raise DataError(f"{self.symbol}: expected segments of shape ({n},), was {self.segment.shape}.")

    def _check_times(self) -> None:
        late = np.flatnonzero(np.diff(self.time_ms) < 0)
        if late.size:
            raise self._error(int(late[0]) + 1, "earlier than the row before it")
        back = np.flatnonzero(np.diff(self.segment) < 0)
        if back.size:
            raise self._error(int(back[0]) + 1, "its segment has a lower number than the row before it")

    def _check_side(self, side: str, prices: NDArray[np.float64], sizes: NDArray[np.float64], direction: float) -> None:
        missing = np.isnan(prices)
        bad = {
            "a price without a size, or a size without a price": missing != np.isnan(sizes),
            "a price that is not a positive number": ~missing & ~((prices > 0) & (prices < np.inf)),
            "a size that is not a number of at least 0": ~missing & ~((sizes >= 0) & (sizes < np.inf)),
        }
        following = np.zeros_like(missing)
        following[:, 1:] = missing[:, :-1] & ~missing[:, 1:]
        bad["a level below a missing one"] = following
        unordered = np.zeros_like(missing)
        unordered[:, 1:] = np.diff(prices, axis=1) * direction <= 0
        bad["prices that do not go outward from the best, or the same price twice"] = unordered
        for problem, where in bad.items():
            if where.any():
                row, level = (int(x) for x in np.argwhere(where)[0])
                raise self._error(row, f"{side} level {level + 1}: {problem}")


def segments_of(time_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Unbroken stretches of a sampled table that does not name them, told by its times; int64 of shape (n,).

    Nine steps in ten (of those above 0) alike are a rhythm: a step half as long again as it leaves a sample out. A
    table without a rhythm holds a row whenever the book changed, and silence is no loss; there a new stretch begins
    where a step is longer than a minute and than twenty times all but the longest hundredth.
    """
    steps = np.diff(time_ms)
    moving = steps[steps > 0]
    if not moving.size:
        return np.zeros(len(time_ms), dtype=np.int64)
    usual = rhythm(moving)
    longest = max(LONGEST_SILENCE_MS, 20 * float(np.quantile(moving, 0.99))) if usual is None else 1.5 * usual
    return np.concatenate(([0], np.cumsum(steps > longest))).astype(np.int64)


def rhythm(steps_ms: NDArray[np.int64]) -> float | None:
    """The usual step of a table in ms, told by its steps above 0; None where fewer than nine in ten are alike."""
    if not steps_ms.size:
        return None
    usual = float(np.median(steps_ms))
    return usual if np.mean(np.abs(steps_ms - usual) <= 0.1 * usual) >= RHYTHM_SHARE else None


def write_tape(path: Path, tape: BookTape) -> Path:
    """Write the tape as one Parquet file, atomically: time_ms and segment int64, levels float64 (null: no level).

    Raises StorageError when the disk refuses.
    """
    arrays = {"time_ms": tape.time_ms, "segment": tape.segment}
    arrays |= dict(zip(book_columns(tape.levels), tape.rows().T, strict=True))
    columns = {name: pa.array(np.ascontiguousarray(values), from_pandas=True) for name, values in arrays.items()}
    table = pa.table(columns).replace_schema_metadata({SYMBOL_KEY: tape.symbol.encode()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return files.write_bytes(path, buffer.getvalue())


def join_tapes(tapes: list[BookTape]) -> BookTape:
    """Tapes of one instrument one after the other; each begins a new stretch. Raises DataError when they do not fit."""
    first = tapes[0]
    for tape in tapes[1:]:
        if (tape.symbol, tape.levels) != (first.symbol, first.levels):
            raise DataError(
                f"Books of {first.symbol} with {first.levels} levels and of {tape.symbol} with {tape.levels} levels "
                "cannot be joined.",
                remedy="Join files of one instrument and one depth.",
            )
    segments, start = [], 0
    for tape in tapes:
        segments.append(tape.segment - (tape.segment[0] if len(tape) else 0) + start)
        start = int(segments[-1][-1]) + 1 if len(tape) else start
    joined = {
        name: np.concatenate([getattr(tape, name) for tape in tapes])
        for name in ("time_ms", "bid_prices", "bid_sizes", "ask_prices", "ask_sizes")
    }
    return BookTape(symbol=first.symbol, segment=np.concatenate(segments), **joined)
