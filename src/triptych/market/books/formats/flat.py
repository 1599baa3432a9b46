"""Sampled books as a Parquet table, one row a time: our own tapes, and tables of columns bid_price_0 .. ask_size_19.

Without a column `segment`, a new stretch begins at every hole in the times. Levels may be counted from 0 or 1. The
time is `time_ms`, or `timestamp` as a datetime; without a zone it is UTC.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.typing import NDArray

from triptych.domain import BOOK_FIELDS
from triptych.domain.errors import ColumnError
from triptych.market.books.formats.tables import integers, numbers, read_parquet, require
from triptych.market.books.tape import SYMBOL_KEY, BookTape, segments_of
from triptych.market.file_names import parse_file_name

_LEVEL: Final = re.compile(rf"({'|'.join(BOOK_FIELDS)})_(\d+)")


def is_flat(columns: list[str]) -> bool:
    """Whether a table with these columns holds sampled books."""
    return any(_LEVEL.fullmatch(name) for name in columns)


def read_tape(path: Path, *, symbol: str | None = None) -> BookTape:
    """Read the table. The symbol is the one given, the one that our own tapes carry, or the one in the file's name.

    Raises ColumnError when a column is missing, DataError (row and level) for books that cannot be.
    """
    table = read_parquet(path)
    found = [int(match[2]) for name in table.columns if (match := _LEVEL.fullmatch(name))]
    first, last = min(found), max(found)
    names = {field: [f"{field}_{level}" for level in range(first, last + 1)] for field in BOOK_FIELDS}
    for field in BOOK_FIELDS:
        require(table, names[field], path)
    blocks = {
        f"{field}s": np.column_stack([numbers(table, name, path, header_rows=0) for name in names[field]])
        for field in BOOK_FIELDS
    }
    times = times_ms(table, path)
    named = "segment" in table.columns
    segment = integers(table, "segment", path, header_rows=0) if named else segments_of(times)
    return BookTape(symbol=symbol or _symbol_of(path), time_ms=times, segment=segment, **blocks)


def times_ms(table: pl.DataFrame, path: Path) -> NDArray[np.int64]:
    """The column `time_ms` or `timestamp` as int64 UTC milliseconds, rounded up. ColumnError when there is neither."""
    if "time_ms" in table.columns:
        return integers(table, "time_ms", path, header_rows=0)
    require(table, ["timestamp"], path)
    column = table["timestamp"]
    if not isinstance(column.dtype, pl.Datetime):
        raise ColumnError(
            f"{path}: expected datetimes in the column 'timestamp', was {column.dtype}.",
            remedy="Write the times as datetimes, or as whole milliseconds in a column `time_ms`.",
        )
    return -(-column.dt.epoch("us").to_numpy() // 1_000)


def _symbol_of(path: Path) -> str:
    metadata = pq.read_schema(path).metadata or {}
    return metadata[SYMBOL_KEY].decode() if SYMBOL_KEY in metadata else symbol_in_name(path)


def symbol_in_name(path: Path) -> str:
    """The symbol in a file's name, or the name itself."""
    return parse_file_name(path.name).symbol or path.name.partition(".")[0]
