"""Tables of text with any separator: commas, semicolons, tabs or bars, and the decimal comma that comes with them."""

from __future__ import annotations

import csv
from collections.abc import Set
from itertools import islice
from pathlib import Path
from typing import Final

import polars as pl

from triptych.market.delimited import SEPARATORS

DECIMAL_COMMA: Final = r"^\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*$"
"""A number with a decimal comma, of which only a table whose separator is another one may hold any."""
_LONGEST_LINE: Final = 1 << 20


def fields_of(line: str, separator: str) -> list[str]:
    """What stands between the separators of one line; quotation marks hold a field together."""
    try:
        return next(csv.reader([line.strip("\ufeff\r\n")], delimiter=separator), [])
    except csv.Error:  # a field that is longer than any
        return []


def separator_of(path: Path) -> str:
    """The separator that splits the header into the most fields, and the line below into as many; else the comma.

    So it is with files that are no UTF-8, such as compressed ones.
    """
    with path.open(encoding="utf-8", errors="replace") as lines:
        head = [line[:_LONGEST_LINE] for line in islice(lines, 2)]
    if any("\ufffd" in line for line in head):
        return SEPARATORS[0]
    return max(SEPARATORS, key=lambda one: _width(head, one))


def _width(head: list[str], separator: str) -> int:
    widths = {len(fields_of(line, separator)) for line in head}
    return widths.pop() if len(widths) == 1 else 0


def read_separated(path: Path, texts: Set[str | None]) -> pl.DataFrame:
    """A CSV file, each column being what all its rows are.

    Where numbers have a decimal comma, those with a point stay texts: whether it marks thousands cannot be told.
    Columns named in `texts` say nothing of that.

    Raises OSError and polars' errors where the file cannot be read.
    """
    separator = separator_of(path)
    frame = pl.read_csv(path, infer_schema_length=None, separator=separator)
    if separator == ",":
        return frame
    written = [one for one in frame if one.dtype == pl.String and one.name not in texts]
    if any(one.str.contains(DECIMAL_COMMA).any() for one in written):
        return pl.read_csv(path, infer_schema_length=None, separator=separator, decimal_comma=True)
    return frame
