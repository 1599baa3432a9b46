"""Tables of text with any separator: commas, semicolons, tabs or bars, and the decimal comma that comes with them."""

from __future__ import annotations

import csv
from collections.abc import Sequence, Set
from itertools import islice
from pathlib import Path
from typing import Final

import polars as pl

from triptych.domain.errors import ColumnError
from triptych.market.delimited import SEPARATORS
from triptych.market.numerals import NOTHING

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

    Cells that say that there is no value (`NOTHING`, such as NA or -) are null where all others are numbers. Where
    numbers have a decimal comma, those with a point stay texts: whether it marks thousands cannot be told. Columns
    named in `texts` say nothing of that, and stay as they are.

    Raises ColumnError where two columns have one name, OSError and polars' errors where the file cannot be read.
    """
    separator = separator_of(path)
    frame = pl.read_csv(path, infer_schema_length=None, separator=separator)
    _refuse_twins(frame.columns, path)
    decimal_comma = False
    if separator != ",":
        written = [one for one in frame if one.dtype == pl.String and one.name not in texts]
        decimal_comma = any(one.str.contains(DECIMAL_COMMA).any() for one in written)
    if decimal_comma:
        frame = pl.read_csv(path, infer_schema_length=None, separator=separator, decimal_comma=True)
    wordy = [one for one in frame if one.dtype == pl.String and one.name not in texts]
    return frame.with_columns([_without_nothing(one, decimal_comma) for one in wordy])


def _without_nothing(column: pl.Series, decimal_comma: bool) -> pl.Series:
    """Texts as numbers, where all of them are once those are null that say that there is no value."""
    plain = column.str.strip_chars()
    nothing = plain.str.to_lowercase().is_in(list(NOTHING))
    if not nothing.any():
        return column
    kept = pl.select(pl.when(nothing).then(None).otherwise(plain)).to_series().alias(column.name)
    bare = kept
    if decimal_comma:
        alike = kept.str.contains(DECIMAL_COMMA) | ~kept.str.contains(".", literal=True)
        bare = pl.select(pl.when(alike).then(kept.str.replace(",", ".", literal=True))).to_series().alias(column.name)
        if bare.null_count() > kept.null_count():
            return kept
    numbers = bare.cast(pl.Float64, strict=False)
    return kept if numbers.null_count() > bare.null_count() else numbers


def _refuse_twins(names: Sequence[str], path: Path) -> None:
    """Raise ColumnError for a header that names two columns alike, of which polars renames all but the first."""
    for name in names:
        first, found, _ = name.rpartition("_duplicated_")
        if found and first in names:
            raise ColumnError(
                f"Two columns of {path} are called {first!r}.", remedy="Give each its own name, or remove one of them."
            )
