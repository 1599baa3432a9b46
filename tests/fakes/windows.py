"""Histories for any encoding, made from the names of its columns: candles, order books, factors, or all together.

A column of another kind has no history here: tests of an encoding that reads one fail until there is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.domain import CANDLE_FIELDS, CandleSeries, Instrument, Timeframe, book_columns

MINUTE_MS = 60_000
TICK = 0.1
"""Price step of the books, in quote currency."""


def kind_of(column: str) -> str:
    """`candles`, `book` or `factors`."""
    if column in CANDLE_FIELDS:
        return "candles"
    if re.fullmatch(r"(bid|ask)_(price|size)_\d+", column):
        return "book"
    if re.fullmatch(r"factor_\d+_\d+", column):
        return "factors"
    raise AssertionError(f"There is no history with a column {column!r} in tests/fakes/windows.py yet.")


def kinds_of(columns: tuple[str, ...]) -> tuple[str, ...]:
    """What the columns belong to, each kind once."""
    return tuple(dict.fromkeys(map(kind_of, columns)))


def prices_in(columns: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which columns are prices; volumes, sizes and factors are not."""
    return np.array([column in CANDLE_FIELDS[:4] or "_price_" in column for column in columns])


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A history: `columns` by name, float64 of shape (n_rows, n_columns); `candles` are cut where they are a series."""

    columns: tuple[str, ...]
    values: NDArray[np.float64]
    candles: CandleSeries | None

    def __len__(self) -> int:
        return len(self.values)

    def head(self, n: int) -> Rows:
        """The first `n` rows."""
        return replace(self, values=self.values[:n], candles=self.candles and self.candles.head(n))

    def windows(self, ends: NDArray[np.int64], length: int) -> NDArray[np.float64]:
        """The windows that end with these rows, shape (n, length, n_columns)."""
        found = self.values[ends[:, None] + np.arange(1 - length, 1)]
        if self.candles is not None:
            place = [self.columns.index(field) for field in CANDLE_FIELDS]
            found[..., place] = self.candles.windows(ends, length)
        return found


def history(columns: tuple[str, ...], n: int, seed: int = 0) -> Rows:
    """A history of `n` rows with these columns, in this order."""
    found: dict[str, NDArray[np.float64]] = {}
    candles = None
    for kind in kinds_of(columns):
        mine = [column for column in columns if kind_of(column) == kind]
        if kind == "candles":
            candles = candles_of(n, seed)
            found |= dict(zip(CANDLE_FIELDS, candles.values.T, strict=True))
        elif kind == "book":
            levels = max(int(column.rsplit("_", 1)[1]) for column in mine)
            found |= dict(zip(book_columns(levels), books_of(n, levels, seed).T, strict=True))
        else:
            scores = np.random.default_rng(seed).normal(0, 1.5, (len(mine), n)).clip(-4, 4)
            found |= dict(zip(mine, scores, strict=True))
    return Rows(columns=columns, values=np.stack([found[column] for column in columns], axis=1), candles=candles)


def candles_of(n: int, seed: int = 0) -> CandleSeries:
    """A market with gaps, dojis, idle candles and a price of a few thousand."""
    random = np.random.default_rng(seed)
    close = 3_000 * np.exp(np.cumsum(random.normal(0, 2e-3, n)))
    opening = np.concatenate([[3_000.0], close[:-1]]) * np.exp(random.normal(0, 2e-4, n))
    opening[::7] = close[::7]
    top, bottom = np.maximum(opening, close), np.minimum(opening, close)
    reach = np.abs(random.normal(0, 1e-3, (2, n)))
    volume = random.gamma(2.0, 50.0, n)
    volume[::11] = 0.0
    return CandleSeries(
        instrument=Instrument(symbol="TEST"),
        timeframe=Timeframe(MINUTE_MS),
        open_time_ms=np.arange(n, dtype=np.int64) * MINUTE_MS,
        values=np.column_stack([opening, top * (1 + reach[0]), bottom * (1 - reach[1]), close, volume]),
    )


def books_of(n: int, levels: int, seed: int = 0) -> NDArray[np.float64]:
    """Books of `book_columns(levels)` around a mid that moves by some ticks a row, at a price of 300.

    Prices are whole ticks with holes between the levels; every fifth row lacks its deepest asks (NaN).
    """
    random = np.random.default_rng(seed)
    middle = 3_000 + np.cumsum(random.integers(-4, 5, n))
    spread = random.integers(0, 3, (2, n, 1))
    steps = 1 + random.binomial(2, 0.2, (2, n, levels))
    steps[..., 0] = 0
    away = spread + np.cumsum(steps, axis=-1)
    bid, ask = middle[:, None] - away[0], middle[:, None] + 1 + away[1]
    bid_size, ask_size = random.gamma(1.5, 4.0, (2, n, levels))
    ask_price = ask * TICK
    missing = (np.arange(n)[:, None] % 5 == 3) & (np.arange(levels) >= max(1, levels - levels // 4))
    ask_price[missing] = ask_size[missing] = np.nan
    return np.concatenate([bid * TICK, bid_size, ask_price, ask_size], axis=1)


def still(columns: tuple[str, ...], batch: int, length: int, size: float) -> torch.Tensor:
    """Windows in which nothing moves, float32: one candle, one book and one score again and again.

    With `size` 0 nothing is traded, and nothing rests in the book (every level is missing).
    """
    row = torch.zeros(len(columns))
    for place, column in enumerate(columns):
        level = int(column.rsplit("_", 1)[1]) if kind_of(column) == "book" else 0
        if column in CANDLE_FIELDS[:4]:
            row[place] = 17_123.5
        elif column == "volume":
            row[place] = size
        elif level and size == 0:
            row[place] = torch.nan
        elif level and "_price_" in column:
            row[place] = 17_123.5 + (level if column.startswith("ask") else -level)
        elif level:
            row[place] = size
    return row.expand(batch, length, -1).clone()
