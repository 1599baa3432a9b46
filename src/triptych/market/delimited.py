"""Text tables: CSV with any separator, encoding and compression, with or without a header.

Every field is read as text, so that a later error can show what stands in the file, and every row knows its line.
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from triptych.domain.errors import DataError
from triptych.market.columns import PRICE_ROLES, SYNONYMS, normalise

SEPARATORS: Final = (",", ";", "\t", "|")
_PREAMBLE_LINES: Final = 25
_HEAD_LINES: Final = 60
_TIME_NAMES: Final = frozenset(
    name for role in ("timestamp", "date", "time") for group in SYNONYMS[role] for name in group
)
_PRICE_NAMES: Final = frozenset(name for role in PRICE_ROLES for group in SYNONYMS[role] for name in group)

# Column orders of the headerless files in circulation, by number of columns; the date may stand apart from the time.
_KLINES: Final = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
_HEADERLESS: Final[dict[int, tuple[str, ...]]] = {
    5: ("timestamp", "open", "high", "low", "close"),
    6: ("timestamp", "open", "high", "low", "close", "volume"),
    7: ("timestamp", "open", "high", "low", "close", "volume", "trades"),
    12: _KLINES,
}
_HEADERLESS_CLOCK: Final[dict[int, tuple[str, ...]]] = {
    6: ("date", "time", "open", "high", "low", "close"),
    7: ("date", "time", "open", "high", "low", "close", "volume"),
    8: ("date", "time", "open", "high", "low", "close", "tick_volume", "volume"),
}

_OPENERS: Final[dict[bytes, Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TextTable:
    """All fields as text. Row 0 of `frame` stands in line `first_line` of the file; empty lines are rows of nulls."""

    frame: pl.DataFrame
    first_line: int
    separator: str
    symbol: str | None
    has_header: bool


def read_text_table(path: Path) -> TextTable:
    """Read a text table. Raises DataError when it is not one or when a line has too many fields."""
    text = _decode(_unpack(path.read_bytes(), path.name), path.name)
    head = text[: 1 << 18].splitlines()[:_HEAD_LINES]
    if not any(line.strip() for line in head):
        raise DataError(
            f"{path.name}: the file is empty.", remedy="Bring a file with a line of column names and candles."
        )
    separator = _separator(head)
    rows = list(csv.reader(head, delimiter=separator))
    layout = _layout(rows, path.name)
    # Rows may be wider than the names (an index without a name, a separator at the end), but then most of them are.
    widths = [len(row) for row in rows[layout.skip :] if row]
    width = max(len(layout.names), max(set(widths), key=widths.count) if widths else 0)
    names = _unique([*layout.names, *([""] * (width - len(layout.names)))])
    try:
        frame = pl.read_csv(
            io.BytesIO(text.encode()), has_header=False, skip_lines=layout.skip, separator=separator,
            schema={name: pl.String() for name in names},
        )  # fmt: skip
    except pl.exceptions.NoDataError:
        frame = pl.DataFrame(schema={name: pl.String() for name in names})
    except pl.exceptions.PolarsError as error:
        raise _ragged(text, separator, layout.skip, width, path.name) from error
    return TextTable(
        frame=frame, first_line=layout.skip + 1, separator=separator, symbol=layout.symbol, has_header=layout.has_header
    )


def _unpack(content: bytes, where: str) -> bytes:
    try:
        for magic, opener in _OPENERS.items():
            if content.startswith(magic):
                return opener(content)
        if content.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                members = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
                if "[Content_Types].xml" in members:
                    raise DataError(f"{where}: this is a workbook, not a table.", remedy="Save its sheet as CSV.")
                if len(members) != 1:
                    raise DataError(
                        f"{where}: the archive holds {len(members)} files: {', '.join(members[:5])}.",
                        remedy="Unpack it and import the files one by one.",
                    )
                return archive.read(members[0])
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{where}: the compressed file is damaged ({error}).", remedy="Fetch the file again."
        ) from error
    return content


def _decode(content: bytes, where: str) -> str:
    for mark, encoding in (
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
        (codecs.BOM_UTF8, "utf-8-sig"),
    ):
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    if b"\x00" in content[:4096]:
        raise DataError(
            f"{where}: this is neither text nor Parquet nor Feather.",
            remedy="Bring candles as CSV, Parquet or Feather.",
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("gb18030" if _is_gb18030(content) else "latin-1")


def _is_gb18030(content: bytes) -> bool:
    """Whether text that is not UTF-8 is Chinese: every run of bytes above ASCII is then made of pairs.

    An umlaut of a Western encoding stands alone between letters (and would, with the next letter, decode as a rare
    Chinese character).
    """
    head = content[: 1 << 16]
    if any(len(run) % 2 for run in re.findall(rb"[\x80-\xff]+", head)):
        return False
    try:
        return re.search(r"[\u4e00-\u9fff]", head.decode("gb18030", errors="strict")) is not None
    except UnicodeDecodeError:
        return False


def _separator(head: list[str]) -> str:
    """The separator that splits the most lines into the same number of fields, at least five."""

    def score(separator: str) -> tuple[int, int]:
        widths = [len(row) for row in csv.reader(head, delimiter=separator) if row]
        common = max(set(widths), key=widths.count)
        return (widths.count(common) if common >= 5 else 0, common)

    return max(SEPARATORS, key=score)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layout:
    names: list[str]
    skip: int
    has_header: bool
    symbol: str | None = None


def _layout(rows: list[list[str]], where: str) -> _Layout:
    for number, row in enumerate(rows[:_PREAMBLE_LINES]):
        plain = [normalise(field) for field in row]
        if (
            plain[:1] == ["price"]
            and len(rows) > number + 2
            and [normalise(f) for f in rows[number + 1]][:1] == ["ticker"]
        ):
            return _ticker_layout(rows, number, where)
        if len(set(plain) & _PRICE_NAMES) >= 2 and set(plain) & _TIME_NAMES | {""} & set(plain):
            return _Layout(names=[field.strip() for field in row], skip=number + 1, has_header=True)
    first = next(number for number, row in enumerate(rows) if any(field.strip() for field in row))
    row = rows[first]
    if _looks_like_data(row):
        has_clock = len(row) > 1 and ":" in row[1]
        names = (_HEADERLESS_CLOCK if has_clock else _HEADERLESS).get(len(row))
        numbered = [f"column_{i + 1}" for i in range(len(row))]
        return _Layout(names=list(names) if names else numbered, skip=first, has_header=False)
    # No line names prices and times: take the first line as names and let the column detection say what is missing.
    return _Layout(names=[field.strip() for field in row], skip=first + 1, has_header=True)


def _looks_like_data(row: list[str]) -> bool:
    return sum(re.search(r"\d", field) is not None and not re.search(r"[A-Za-z]{4,}", field) for field in row) >= 5


def _ticker_layout(rows: list[list[str]], number: int, where: str) -> _Layout:
    """The three header lines that yfinance writes: Price, Ticker and the name of the index."""
    names, tickers, index = rows[number], rows[number + 1], rows[number + 2]
    known = sorted({ticker.strip() for ticker in tickers[1:] if ticker.strip()})
    if len(known) > 1:
        raise DataError(
            f"{where}: several tickers stand side by side: {', '.join(known[:8])}.",
            remedy="Save one file per ticker, or one long table with a symbol column.",
        )
    has_index_line = not any(re.search(r"\d", field) for field in index)
    return _Layout(
        names=["Date", *(field.strip() for field in names[1:])],
        skip=number + (3 if has_index_line else 2),
        has_header=True,
        symbol=known[0] if known else None,
    )


def _unique(names: list[str]) -> list[str]:
    """Names that Polars accepts: a repeated one gets blanks behind it, so that it still reads and compares the same."""
    result: list[str] = []
    for name in names:
        unique = name
        while unique in result:
            unique += " "
        result.append(unique)
    return result


def _ragged(text: str, separator: str, skip: int, width: int, where: str) -> DataError:
    for number, row in enumerate(csv.reader(text.splitlines(), delimiter=separator), start=1):
        if number > skip and len(row) > width:
            return DataError(
                f"{where}: line {number} has {len(row)} fields where {width} were expected.",
                remedy="Correct the line: a separator too many, or two lines run together.",
            )
    return DataError(
        f"{where}: the file cannot be read as a table.", remedy="Look for a quotation mark that is not closed."
    )
