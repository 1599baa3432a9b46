"""From rows as they were brought to candles that may be trusted: refuse, repair where asked, sort, remove duplicates.

Works on frames of `row` (position in the source), the canonical columns with nulls where nothing could be read, and
`symbol`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from triptych.domain import CANDLE_FIELDS, utc
from triptych.domain.errors import CandleError
from triptych.market.columns import PRICE_ROLES
from triptych.market.frames import SYMBOL, TIMESTAMP

Duplicates = Literal["error", "first", "last"]
ROW: Final = "row"

# Adjusted prices carry rounding errors: high may miss the close by one unit in the last place.
ROUNDING: Final = 1e-9
"""Share of the price up to which a high or low that misses open or close is a rounding error."""
_HIGHEST: Final = pl.max_horizontal("open", "high", "close")
_LOWEST: Final = pl.min_horizontal("open", "low", "close")

_BLEMISHES: Final[dict[str, tuple[pl.Expr, str, str]]] = {
    # name: (rows that have it, column, what is wrong); the first that fits a row is told
    "symbol": (pl.col(SYMBOL).is_null() | (pl.col(SYMBOL) == ""), SYMBOL, "the symbol is missing"),
    "time": (pl.col(TIMESTAMP).is_null(), TIMESTAMP, "the time is missing or cannot be read"),
    **{name: (~pl.col(name).is_finite().fill_null(False), name, "not a number") for name in PRICE_ROLES},
    **{f"{name}_sign": (pl.col(name) <= 0, name, "prices must be above zero") for name in PRICE_ROLES},
    "crossed": (pl.col("high") < pl.col("low"), "high", "high is below low"),
    "high_too_low": (pl.col("high") < _HIGHEST, "high", "high is below open or close"),
    "low_too_high": (pl.col("low") > _LOWEST, "low", "low is above open or close"),
    "volume": (~pl.col("volume").is_finite().fill_null(False), "volume", "not a number"),
    "volume_sign": (pl.col("volume") < 0, "volume", "volume must be zero or more"),
}
_MENDABLE: Final = ("high_too_low", "low_too_high", "volume", "volume_sign")


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """How messages speak of the source: its name, a row in words, and what stands there in a column."""

    name: str
    place: Callable[[int], str]
    text_at: Callable[[int, str], object]


def smooth_rounding(frame: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """Widen high and low where they miss open or close by a rounding error only (1e-9 of the price)."""
    high_off = (pl.col("high") < _HIGHEST) & (pl.col("high") >= _HIGHEST * (1 - ROUNDING))
    low_off = (pl.col("low") > _LOWEST) & (pl.col("low") <= _LOWEST * (1 + ROUNDING))
    count = frame.select((high_off | low_off).sum()).item()
    if not count:
        return frame
    notes.append(f"high or low widened by a rounding error in {_candles(count)}")
    return frame.with_columns(
        high=pl.when(high_off).then(_HIGHEST).otherwise("high"), low=pl.when(low_off).then(_LOWEST).otherwise("low")
    )


def refuse_bad_rows(frame: pl.DataFrame, source: Source) -> None:
    """Raise CandleError for the first bad row: source, row, column, time, and how many more rows are bad."""
    bad = frame.filter(pl.any_horizontal([rows for rows, _, _ in _BLEMISHES.values()]))
    if bad.is_empty():
        return
    first = bad.head(1)
    column, problem = next(
        (c, text) for rows, c, text in _BLEMISHES.values() if first.select(rows.fill_null(False)).item()
    )
    row = int(first[ROW][0])
    written = source.text_at(row, column)
    if problem == "not a number":
        empty = written is None or (isinstance(written, str) and not written.strip())
        problem = f"{column} is missing" if empty else f"{column} is not a number: {written!r}"
    elif column == TIMESTAMP:
        problem = f"{problem}: {written!r}"
    else:
        values = " ".join(f"{name}={first[name][0]}" for name in CANDLE_FIELDS)
        problem = f"{problem}: {values}"
    time = first[TIMESTAMP].cast(pl.Int64)[0]
    when = f" ({utc(time)} UTC)" if time is not None else ""
    more = bad.height - 1
    others = f" {more} more {'row is' if more == 1 else 'rows are'} bad." if more else ""
    raise CandleError(
        f"{source.name}: {source.place(row)}, column {column}{when}: {problem}.{others}",
        remedy="Correct the source, or import with `--repair` (repair=True), which drops such rows and says so.",
    )


def repair_rows(frame: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """Drop rows that cannot be candles; widen high and low to contain open and close; set a missing volume to zero."""
    fatal = [rows for name, (rows, _, _) in _BLEMISHES.items() if name not in _MENDABLE]
    kept = frame.filter(~pl.any_horizontal([rows.fill_null(False) for rows in fatal]))
    _note(
        notes, frame.height - kept.height, "dropped {}: a time or price is missing, not positive, or high is below low"
    )
    narrow = (pl.col("high") < _HIGHEST) | (pl.col("low") > _LOWEST)
    _note(notes, kept.select(narrow.sum()).item(), "widened high or low of {} to contain open and close")
    empty = ~pl.col("volume").is_finite().fill_null(False) | (pl.col("volume") < 0)
    _note(notes, kept.select(empty.fill_null(True).sum()).item(), "set the volume of {} to zero: missing or negative")
    return kept.with_columns(
        high=_HIGHEST, low=_LOWEST, volume=pl.when(empty.fill_null(True)).then(0.0).otherwise("volume")
    )


def in_order(frame: pl.DataFrame, *, duplicates: Duplicates, source: Source, notes: list[str]) -> pl.DataFrame:
    """Sorted by symbol (in order of appearance) and time, each time once.

    Rows that repeat another one exactly are removed. Raises CandleError when rows of one time differ, unless
    `duplicates` says which to take: the first or the last in the source.
    """
    step = pl.col(TIMESTAMP).cast(pl.Int64).diff().over(SYMBOL)
    late, repeated_times = frame.select((step < 0).sum().alias("late"), (step == 0).sum().alias("repeated")).row(0)
    if not late and not repeated_times:
        return frame
    _note(notes, late, "sorted by time: {} stood before an earlier one")
    first_seen = pl.col(ROW).min().over(SYMBOL)
    ordered = frame.sort(first_seen, SYMBOL, TIMESTAMP, ROW, maintain_order=True) if frame.height else frame
    key = [SYMBOL, TIMESTAMP]
    unique = ordered.unique([*key, *CANDLE_FIELDS], keep="first", maintain_order=True)
    _note(notes, ordered.height - unique.height, "removed {} that repeated another one exactly")
    repeated = unique.filter(pl.struct(key).is_duplicated()) if unique.height else unique
    if repeated.is_empty():
        return unique
    if duplicates == "error":
        raise _conflict(repeated, source)
    single = unique.unique(key, keep=duplicates, maintain_order=True)
    _note(
        notes,
        unique.height - single.height,
        f"removed {{}} of a time given twice with different values; kept the {duplicates}",
    )
    return single


def _conflict(repeated: pl.DataFrame, source: Source) -> CandleError:
    one = repeated.head(2)
    rows = [source.place(int(row)) for row in one[ROW]]
    time = int(one[TIMESTAMP].cast(pl.Int64)[0])
    name = next((f for f in CANDLE_FIELDS if one[f][0] != one[f][1]), "close")
    times = repeated.select(SYMBOL, TIMESTAMP).unique().height
    others = f" {times - 1} more {'time is' if times == 2 else 'times are'} repeated so." if times > 1 else ""
    return CandleError(
        f"{source.name}: {rows[0]} and {rows[1]} both hold {one[SYMBOL][0]} at {utc(time)} UTC, column {name}: "
        f"{one[name][0]} and {one[name][1]}.{others}",
        remedy="Remove one, or say which to take: `--duplicates first` or `--duplicates last` (duplicates='last').",
    )


def _candles(count: int) -> str:
    return f"{count:,} candle" + ("" if count == 1 else "s")


def _note(notes: list[str], count: int, text: str) -> None:
    if count:
        notes.append(text.format(_candles(count)))
