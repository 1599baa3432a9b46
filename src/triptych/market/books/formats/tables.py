"""What the readers of tables share: columns by name, and errors that say file, row and column."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.domain.errors import ColumnError, DataError
from triptych.market.books.formats.lines import read_text


def read_csv(path: Path, *, has_header: bool = True) -> pl.DataFrame:
    """A CSV file, plain or gzip, every column as text. Raises DataError when its rows are uneven."""
    try:
        return pl.read_csv(io.StringIO(read_text(path)), has_header=has_header, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{path} is not an even table: {error}.", remedy="Restore the file, or cut the row out."
        ) from error


def read_parquet(path: Path) -> pl.DataFrame:
    """A Parquet file. Raises DataError when it is damaged."""
    try:
        return pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}.", remedy="Restore it from a copy.") from error


def require(table: pl.DataFrame, names: Iterable[str], path: Path) -> None:
    """Raise ColumnError unless the table has these columns."""
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise ColumnError(
            f"{path}: column {missing[0]!r} is missing.",
            remedy=f"The file has: {', '.join(table.columns[:12])}{' ..' if table.width > 12 else ''}.",
        )


def numbers(table: pl.DataFrame, name: str, path: Path, *, header_rows: int = 1) -> NDArray[np.float64]:
    """A column as float64, shape (n,), NaN where it is empty. DataError names the first row that is no number."""
    column = table[name]
    if column.dtype == pl.String:
        column = column.str.strip_chars().replace("", None)
    cast = column.cast(pl.Float64, strict=False)
    bad = (cast.is_null() & column.is_not_null()).arg_true()
    if len(bad):
        raise _no_number(path, int(bad[0]), header_rows, name, column[int(bad[0])])
    return cast.fill_null(np.nan).to_numpy()


def integers(table: pl.DataFrame, name: str, path: Path, *, header_rows: int = 1) -> NDArray[np.int64]:
    """A column of whole numbers as int64, shape (n,). DataError names the first row that is none."""
    column = table[name]
    cast = column.cast(pl.Int64, strict=False)
    bad = cast.is_null().arg_true()
    if len(bad):
        raise _no_number(path, int(bad[0]), header_rows, name, column[int(bad[0])])
    return cast.to_numpy()


def choices(
    table: pl.DataFrame, name: str, meanings: dict[str, int], path: Path, *, header_rows: int = 1
) -> NDArray[np.int64]:
    """A column of words as the numbers they stand for, shape (n,). DataError names the first unknown word."""
    column = table[name].cast(pl.String)
    found = column.replace_strict(meanings, default=None, return_dtype=pl.Int64)
    bad = found.is_null().arg_true()
    if len(bad):
        row = int(bad[0])
        raise DataError(
            f"{path}, row {row + 1 + header_rows}, column {name!r}: {column[row]!r} is none of {', '.join(meanings)}.",
            remedy="Correct the row or cut it out.",
        )
    return found.to_numpy()


def _no_number(path: Path, row: int, header_rows: int, name: str, value: object) -> DataError:
    return DataError(
        f"{path}, row {row + 1 + header_rows}, column {name!r}: {value!r} is not a number of the kind expected.",
        remedy="Correct the row or cut it out.",
    )
