"""Open whatever a user brings, a file or a frame, as one raw Polars table. Nothing is interpreted here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from triptych.domain.errors import DataError, StorageError
from triptych.market.delimited import read_text_table

if TYPE_CHECKING:
    import pandas as pd

PARQUET: Final = b"PAR1"
ARROW: Final = (b"ARROW1", b"FEA1")


@dataclass(frozen=True, kw_only=True, slots=True)
class RawTable:
    """A table as it was brought.

    Attributes:
        frame: all rows in the source's order; text tables hold text only.
        name: how messages call the source.
        path: where it lies, None for a frame.
        row_word, first_row: what a person calls row 0: `line 2` of a CSV with a header, `row 1` of anything else.
        separator: of a text table, otherwise empty.
        symbol: when the source itself says it outside of a column.
    """

    frame: pl.DataFrame
    name: str
    path: Path | None = None
    row_word: str = "row"
    first_row: int = 1
    separator: str = ""
    symbol: str | None = None
    has_header: bool = True

    def place(self, row: int) -> str:
        """A row in a person's words, such as `line 17`."""
        return f"{self.row_word} {row + self.first_row}"


def open_table(source: object) -> RawTable:
    """Open a path or a frame of Polars, pandas or Arrow.

    The kind of a file is told by its content, not by its name. Raises DataError when there is no such file or it
    cannot be read as a table, StorageError when the system refuses to read it.
    """
    if isinstance(source, (str, os.PathLike)):
        return _open_file(Path(source))
    if isinstance(source, pl.LazyFrame):
        source = source.collect()
    if isinstance(source, pl.DataFrame):
        return RawTable(frame=source, name="polars frame")
    if type(source).__module__.partition(".")[0] == "pandas" and type(source).__name__ == "DataFrame":
        return _from_pandas(source)
    if hasattr(source, "__arrow_c_stream__"):
        return RawTable(frame=pl.DataFrame(source), name="arrow table")
    raise DataError(
        f"Candles cannot be read from {type(source).__module__}.{type(source).__qualname__}.",
        remedy="Bring a path to CSV, Parquet or Feather, or a frame of pandas, Polars or Arrow.",
    )


def _open_file(path: Path) -> RawTable:
    if path.is_dir():
        raise DataError(f"{path} is a folder.", remedy="Name one file.")
    try:
        with path.open("rb") as file:
            magic = file.read(8)
        if magic.startswith(PARQUET):
            return RawTable(frame=pl.read_parquet(path, glob=False), name=path.name, path=path)
        if magic.startswith(ARROW):
            return RawTable(frame=pl.read_ipc(path.read_bytes()), name=path.name, path=path)
        table = read_text_table(path)
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path}.", remedy="Check the path.") from error
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{path.name}: the file is damaged ({_first_line(error)}).", remedy="Fetch or write it again."
        ) from error
    except OSError as error:
        if error.errno is None:
            raise DataError(
                f"{path.name}: the file is damaged ({_first_line(error)}).", remedy="Fetch or write it again."
            ) from error
        raise StorageError(f"{path} cannot be read: {error.strerror}.", remedy="Check the permissions.") from error
    return RawTable(
        frame=table.frame,
        name=path.name,
        path=path,
        row_word="line",
        first_row=table.first_line,
        separator=table.separator,
        symbol=table.symbol,
        has_header=table.has_header,
    )


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


def _from_pandas(source: Any) -> RawTable:
    """A pandas frame with its index as columns, unless the index only counts rows. pandas is the caller's, not ours."""
    frame: pd.DataFrame = source
    symbol = None
    if frame.columns.nlevels > 1:
        frame, symbol = _flatten(frame)
    frame = frame.rename(columns=str)
    index = frame.index
    if type(index).__name__ != "RangeIndex":
        if type(index).__name__ == "PeriodIndex":
            frame = frame.set_axis(index.to_timestamp(), axis=0)
        if frame.index.nlevels == 1:
            unnamed = "timestamp" if type(frame.index).__name__ == "DatetimeIndex" else "index"
            name = unnamed if frame.index.name is None else str(frame.index.name)
            frame = frame.reset_index(drop=True) if name in frame.columns else frame.rename_axis(name).reset_index()
        else:
            frame = frame.reset_index()
    return RawTable(frame=pl.from_pandas(frame), name="pandas frame", symbol=symbol)


def _flatten(frame: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
    """Columns of (field, ticker) or (ticker, field), as yfinance returns them, without the ticker if it is one only."""
    fields = next((i for i in (0, -1) if "close" in {str(column[i]).lower() for column in frame.columns}), 0)
    tickers = sorted({str(column[-1 - fields]) for column in frame.columns})
    if len(tickers) > 1:
        raise DataError(
            f"pandas frame: several tickers stand side by side: {', '.join(tickers[:8])}.",
            remedy="Pass one ticker, or stack them into one long table with a symbol column.",
        )
    return frame.set_axis([str(column[fields]) for column in frame.columns], axis=1), tickers[0]
