"""Tardis.dev CSV files: book_snapshot_N (one row a book), incremental_book_L2 (one row a level), trades.

Times are microseconds; `timestamp` is the venue's, `local_timestamp` the time of receipt.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.domain.errors import DataError
from triptych.market.books.events import ABSENT, MAX_DECIMALS, BookEvents
from triptych.market.books.formats.tables import choices, integers, numbers, read_csv, require
from triptych.market.books.tape import BookTape

_LEVEL: Final = re.compile(r"(asks|bids)\[(\d+)\]\.(price|amount)")


def kind_of(header: list[str]) -> str | None:
    """`snapshots`, `incremental` or `trades` for the header of a Tardis file, else None."""
    if not {"exchange", "symbol", "timestamp", "local_timestamp"} <= set(header):
        return None
    if any(_LEVEL.fullmatch(name) for name in header):
        return "snapshots"
    if {"is_snapshot", "side", "price", "amount"} <= set(header):
        return "incremental"
    return "trades" if {"side", "price", "amount"} <= set(header) else None


def read_snapshots(path: Path, *, symbol: str | None = None) -> BookTape:
    """A book_snapshot_N file as it is; sides shorter than N levels end in NaN. DataError names row and column."""
    table, symbol = _one_symbol(read_csv(path), symbol, path)
    n_levels = 1 + max(int(match[2]) for name in table.columns if (match := _LEVEL.fullmatch(name)))

    def block(side: str, what: str) -> NDArray[np.float64]:
        names = [f"{side}[{level}].{what}" for level in range(n_levels)]
        require(table, names, path)
        return np.column_stack([numbers(table, name, path) for name in names])

    return BookTape(
        symbol=symbol, time_ms=-(-integers(table, "timestamp", path) // 1_000),
        bid_prices=block("bids", "price"), bid_sizes=block("bids", "amount"),
        ask_prices=block("asks", "price"), ask_sizes=block("asks", "amount"),
    )  # fmt: skip


def read_incremental(path: Path, *, symbol: str | None = None) -> BookEvents:
    """An incremental_book_L2 file. Rows received at one time are one message; a run of snapshot rows is one snapshot.

    Tardis keeps no update ids, so that a loss cannot be seen here. DataError names row and column.
    """
    table, symbol = _one_symbol(read_csv(path), symbol, path)
    is_snapshot = choices(table, "is_snapshot", {"true": 1, "false": 0}, path) == 1
    times, local = integers(table, "timestamp", path), integers(table, "local_timestamp", path)
    prices, sizes = numbers(table, "price", path), numbers(table, "amount", path)
    decimals = float_decimals(prices, str(path))
    begins = np.ones(len(table), dtype=np.bool_)
    same = (is_snapshot[1:] == is_snapshot[:-1]) & ((local[1:] == local[:-1]) | is_snapshot[1:])
    begins[1:] = ~same
    starts = np.flatnonzero(begins)
    absent = np.full(len(starts), ABSENT, dtype=np.int64)
    return BookEvents(
        symbol=symbol, protocol="none", price_decimals=decimals, is_snapshot=is_snapshot[starts],
        update_id=absent, first_update_id=absent, previous_update_id=absent, sequence=absent,
        exchange_time_ns=times[starts] * 1_000, local_time_ns=local[starts] * 1_000,
        level_start=np.append(starts, len(table)).astype(np.int64),
        is_ask=choices(table, "side", {"ask": 1, "bid": 0}, path) == 1,
        price_ticks=np.rint(prices * 10**decimals).astype(np.int64), sizes=sizes,
    )  # fmt: skip


def read_trade_columns(
    path: Path, *, symbol: str | None = None
) -> tuple[str, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Symbol, times in ms, prices, sizes and sides (1 buy, -1 sell, 0 unknown). DataError names row and column."""
    table, symbol = _one_symbol(read_csv(path), symbol, path)
    side = choices(table, "side", {"buy": 1, "sell": -1, "unknown": 0}, path)
    times = -(-integers(table, "timestamp", path) // 1_000)
    return symbol, times, numbers(table, "price", path), numbers(table, "amount", path), side


def float_decimals(prices: NDArray[np.float64], where: str) -> int:
    """Digits after the point that reproduce every price exactly. DataError when more than 12 would be needed."""
    distinct = np.unique(prices[np.isfinite(prices)])
    for decimals in range(MAX_DECIMALS + 1):
        scale = 10.0**decimals
        if (np.rint(distinct * scale) / scale == distinct).all():
            return decimals
    raise DataError(
        f"{where}: prices have more than {MAX_DECIMALS} digits after the point.", remedy="Round them to the price step."
    )


def _one_symbol(table: pl.DataFrame, symbol: str | None, path: Path) -> tuple[pl.DataFrame, str]:
    require(table, ["symbol", "timestamp", "local_timestamp"], path)
    found = table["symbol"].unique(maintain_order=True).to_list()
    if symbol is None and len(found) > 1:
        raise several_symbols(path, found)
    chosen = symbol or found[0]
    if chosen not in found:
        raise unknown_symbol(path, chosen, found)
    return table.filter(pl.col("symbol") == chosen), chosen


def several_symbols(path: Path, found: list[str]) -> DataError:
    """The error of a file about many instruments when none was named."""
    return DataError(
        f"{path} holds several instruments: {', '.join(found)}.",
        remedy=f'Name one: symbol="{found[0]}", on the command line --symbol {found[0]}.',
    )


def unknown_symbol(path: Path, symbol: str, found: list[str]) -> DataError:
    """The error of a file without the instrument asked for."""
    return DataError(
        f"{path} holds no books of {symbol}.", remedy=f"It holds: {', '.join(found)}." if found else "Check the file."
    )
