"""Numbers as people and exporters write them, turned into Float64.

Understood: plain and scientific notation, surrounding blanks, currency signs, thousands separators (`1,234.5`,
`1.234,5`, `1 234.5`), the decimal comma, and the endings K, M, B and T (`12.3K`).
"""

from __future__ import annotations

from typing import Final

import polars as pl

NOTHING: Final = ("", "nan", "null", "none", "na", "n/a", "#n/a", "<na>", "-", "--")
"""Texts that mean `no value`, compared in lower case."""

_SCALES: Final = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


def read_numbers(column: pl.Series, *, decimal_comma: bool = False) -> pl.Series:
    """A column of any type as Float64 of the same length; null where there is no value or no number."""
    if column.dtype != pl.String:
        if column.dtype.is_numeric() or column.dtype == pl.Null:
            return column.cast(pl.Float64)
        return column.cast(pl.String, strict=False).cast(pl.Float64, strict=False)
    plain = column.str.strip_chars()
    numbers = plain.cast(pl.Float64, strict=False)
    if not decimal_comma and numbers.null_count() == column.null_count():
        return numbers
    return _read_decorated(plain, decimal_comma)


def _read_decorated(plain: pl.Series, decimal_comma: bool) -> pl.Series:
    bare = plain.str.replace_all(r"[\s$€£¥'’_]", "")
    if decimal_comma:
        bare = bare.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    else:
        # A comma that is not before three digits is no thousands separator: leave it, so that the row is refused.
        grouped = bare.str.contains(r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?[kKmMbBtT]?$")
        bare = pl.select(pl.when(grouped).then(bare.str.replace_all(",", "", literal=True)).otherwise(bare)).to_series()
    numbers = bare.cast(pl.Float64, strict=False)
    for letter, scale in _SCALES.items():
        scaled = bare.str.extract(rf"^([+-]?[\d.]+)[{letter}{letter.upper()}]$").cast(pl.Float64, strict=False) * scale
        numbers = numbers.fill_null(scaled)
    return numbers.alias(plain.name)


def uses_decimal_comma(columns: list[pl.Series], *, separator: str) -> bool:
    """Whether the prices of a text table are written with a decimal comma, such as `1.234,56` or `0,5321`."""
    texts = [column.str.strip_chars() for column in columns if column.dtype == pl.String]
    sample = pl.concat([text.head(2000).alias("text") for text in texts]) if texts else pl.Series([], dtype=pl.String)
    written = sample.filter(sample.str.contains(",", literal=True))
    if written.is_empty():
        return False
    if written.str.contains(r"\..*,").any():
        return True
    if written.str.contains(r",.*\.").any():
        return False
    # Only commas: `1,234` in a comma-separated file is a thousand, in a semicolon-separated one it is a price of 1.234.
    return separator != "," or not bool(written.str.contains(r"^[+-]?\d{1,3}(,\d{3})+$").all())
