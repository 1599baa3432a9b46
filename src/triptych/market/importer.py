"""Bring candles into the house from any file or frame: find columns, read times and numbers, refuse what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.domain import CANDLE_FIELDS, CandleSeries, Instrument, Timeframe
from triptych.domain.errors import CandleError, DataError
from triptych.market.cleaning import ROW, Duplicates, Source, in_order, refuse_bad_rows, repair_rows, smooth_rounding
from triptych.market.columns import PRICE_ROLES, Columns, detect_columns
from triptych.market.file_names import NameParts, parse_file_name
from triptych.market.frames import SYMBOL, TIME_TYPE, TIMESTAMP, to_series
from triptych.market.numerals import NOTHING, read_numbers, uses_decimal_comma
from triptych.market.price_step import infer_price_step
from triptych.market.steps import check_timeframe, find_timeframe
from triptych.market.tables import RawTable, open_table
from triptych.market.times import EpochUnit, is_clock, read_times

UNNAMED = "UNNAMED"
"""Symbol of candles whose source does not say one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportResult:
    """What an import brought. Iterating over it gives the series.

    Attributes:
        series: one per symbol, in the order of the source.
        notes: what was assumed, sorted, removed or repaired, in words.
        source: name of the file or kind of frame.
    """

    series: tuple[CandleSeries, ...]
    notes: tuple[str, ...]
    source: str

    def __iter__(self) -> Iterator[CandleSeries]:
        return iter(self.series)

    def __len__(self) -> int:
        return len(self.series)

    def one(self, symbol: str | None = None) -> CandleSeries:
        """The only series, or the one of `symbol`. Raises DataError that lists the symbols when there is none such."""
        chosen = [one for one in self.series if symbol is None or one.symbol == symbol]
        if len(chosen) == 1:
            return chosen[0]
        known = _listed([one.symbol for one in self.series])
        if symbol is None:
            raise DataError(f"{self.source} holds {len(self)} symbols: {known}.", remedy="Say which: `--symbol NAME`.")
        raise DataError(f"{self.source} holds no symbol {symbol!r}.", remedy=f"It holds {known}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class RawCandles:
    """Candles as they lie in the source, before anything is refused, sorted or removed: what `check_quality` looks at.

    Attributes:
        frame: `row` (position in the source), `symbol`, and the canonical columns with nulls where nothing could be
            read.
        timeframe: None when it cannot be told.
        notes, source: as in ImportResult.
        problem: why the timeframe cannot be told, and what to do.
    """

    frame: pl.DataFrame
    timeframe: Timeframe | None
    notes: tuple[str, ...]
    source: str
    problem: DataError | None = None

    def by_symbol(self) -> dict[str, pl.DataFrame]:
        """One frame per symbol, rows in the order of the source."""
        parts = self.frame.partition_by(SYMBOL, maintain_order=True)
        return {str(part[SYMBOL][0]): part for part in parts}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    frame: pl.DataFrame
    source: Source
    hint: Timeframe | None
    notes: list[str]


def read_candles(
    source: object,
    *,
    symbol: str | None = None,
    timeframe: str | Timeframe | None = None,
    venue: str = "local",
    columns: Mapping[str, str] | None = None,
    timestamp_unit: EpochUnit | None = None,
    timezone: str = "UTC",
    duplicates: Duplicates = "error",
    repair: bool = False,
    now_ms: int | None = None,
) -> ImportResult:
    """Read candles from a path (CSV, Parquet, Feather) or a frame (pandas, Polars, Arrow).

    Args:
        source: the path or frame. Times are the OPEN times of the candles.
        symbol: of a panel the one to take; otherwise the name of the series, which a file name with a timeframe, such
            as BTCUSDT_5m.csv, must not contradict. Default: symbol column, then file name.
        timeframe: length of a candle. Default: file name if the times agree, otherwise their commonest step.
        venue: of the instruments.
        columns: roles of columns whose names are not recognised, such as {"close": "Settle"}; see `columns.py`.
        timestamp_unit: unit of epoch numbers. Default: by their size, row by row.
        timezone: of times that carry none.
        duplicates: what to do with rows of one time that differ: refuse, or take the first or last in the source.
        repair: drop or mend bad rows instead of refusing the source; `notes` says what was done.
        now_ms: UTC milliseconds; a candle that closes later is not closed yet and is dropped. Default: none is.

    Raises ColumnError (a column is missing or ambiguous), CandleError (a bad row or a conflicting duplicate), DataError
    (no such file, not a table, no timeframe, another symbol), StorageError (the system refuses).
    """
    reading = _read(source, symbol=symbol, columns=columns, unit=timestamp_unit, timezone=timezone)
    frame, notes = smooth_rounding(reading.frame, reading.notes), reading.notes
    if repair:
        frame = repair_rows(frame, notes)
    else:
        refuse_bad_rows(frame, reading.source)
    if frame.is_empty():
        raise DataError(
            f"{reading.source.name}: there are no candles in it.", remedy="Bring a source with rows of candles."
        )
    frame = in_order(frame, duplicates=duplicates, source=reading.source, notes=notes)
    parts = {str(part[SYMBOL][0]): part for part in frame.partition_by(SYMBOL, maintain_order=True)}
    length = _timeframe(list(parts.values()), timeframe, reading)
    if now_ms is not None:
        parts = _closed(parts, length, now_ms, notes)
    series = tuple(
        to_series(part, instrument=_instrument(name, venue, part), timeframe=length) for name, part in parts.items()
    )
    return ImportResult(series=series, notes=tuple(notes), source=reading.source.name)


def read_raw(
    source: object,
    *,
    symbol: str | None = None,
    timeframe: str | Timeframe | None = None,
    columns: Mapping[str, str] | None = None,
    timestamp_unit: EpochUnit | None = None,
    timezone: str = "UTC",
) -> RawCandles:
    """Read candles as they lie in the source, for a look at their quality. Arguments and errors as in `read_candles`,

    but bad rows, disorder and duplicates stay, and a timeframe that cannot be told is None.
    """
    reading = _read(source, symbol=symbol, columns=columns, unit=timestamp_unit, timezone=timezone)
    length = None if timeframe is None else Timeframe.parse(timeframe)
    problem: DataError | None = None
    if length is None:
        times = [_rising(part) for part in reading.frame.partition_by(SYMBOL, maintain_order=True)]
        try:
            length, note = find_timeframe(times, hint=reading.hint, where=reading.source.name)
            reading.notes.extend([note] if note else [])
        except DataError as error:
            problem = error
            reading.notes.append(error.message)
    return RawCandles(
        frame=reading.frame,
        timeframe=length,
        notes=tuple(reading.notes),
        source=reading.source.name,
        problem=problem,
    )


def _instrument(symbol: str, venue: str, part: pl.DataFrame) -> Instrument:
    """What can be known of an instrument from its candles alone."""
    prices = part.select("open", "high", "low", "close").to_numpy()
    return Instrument(symbol=symbol, venue=venue, price_step=infer_price_step(prices))


def _read(
    source: object, *, symbol: str | None, columns: Mapping[str, str] | None, unit: EpochUnit | None, timezone: str
) -> _Reading:
    table = open_table(source)
    notes: list[str] = []
    found = _resolve_time(table, detect_columns(table.frame.columns, asked=columns, where=table.name))
    if not table.has_header:
        notes.append(f"no line of column names: read as {', '.join(table.frame.columns[: table.frame.width])}")
    named = parse_file_name(table.path.name) if table.path is not None else NameParts()
    raw = table.frame.with_row_index(ROW)
    raw = raw.filter(~pl.all_horizontal(pl.exclude(ROW).is_null()))
    clock = raw[found.clock] if found.clock is not None else None
    times = read_times(raw[found.timestamp], clock=clock, unit=unit, timezone=timezone, where=table.name)
    notes.extend(times.notes)
    decimal_comma = bool(table.separator) and uses_decimal_comma(
        [raw[name] for role in PRICE_ROLES if (name := found.of(role))], separator=table.separator
    )
    fields = {role: read_numbers(raw[str(found.of(role))], decimal_comma=decimal_comma) for role in PRICE_ROLES}
    fields["volume"] = _volume(raw, found, decimal_comma, notes)
    frame = pl.DataFrame(
        {
            ROW: raw[ROW].cast(pl.Int64),
            SYMBOL: _symbols(raw, found, table, named, symbol, notes),
            TIMESTAMP: times.utc_ms.cast(TIME_TYPE),
            **{name: fields[name] for name in CANDLE_FIELDS},
        }
    )
    if found.symbol is not None and symbol is not None:
        frame = _chosen(frame, symbol, table.name)

    def text_at(row: int, role: str) -> object:
        name = found.of(role)
        return None if name is None else table.frame[name][row]

    where = Source(name=table.name, place=table.place, text_at=text_at)
    return _Reading(frame=frame, source=where, hint=named.timeframe, notes=notes)


def _resolve_time(table: RawTable, found: Columns) -> Columns:
    """With a `date` and a `time` column, see what they hold: a day and a clock, or the whole time in one of them."""
    if found.clock is None or is_clock(table.frame[found.clock]):
        return found
    names = {role: found.of(role) for role in (*PRICE_ROLES, "volume", "symbol")}
    return Columns(timestamp=found.clock, clock=None, **names)  # type: ignore[arg-type]


def _volume(raw: pl.DataFrame, found: Columns, decimal_comma: bool, notes: list[str]) -> pl.Series:
    if found.volume is None:
        notes.append("no volume column: volume is zero")
        return pl.Series("volume", np.zeros(raw.height))
    written = raw[found.volume]
    volume = read_numbers(written, decimal_comma=decimal_comma).rename("volume")
    if written.dtype == pl.String:
        dashes = written.str.strip_chars().is_in(["-", "--"])
        if dashes.any():
            notes.append(f"volume written as a dash in {int(dashes.sum()):,} rows: taken as zero")
            volume = pl.select(pl.when(dashes).then(0.0).otherwise(volume)).to_series()
        has_text = not written.str.strip_chars().str.to_lowercase().is_in(list(NOTHING)).fill_null(True).all()
    else:
        has_text = volume.is_finite().any()
    if not has_text and raw.height:
        notes.append(f"the volume column {found.volume!r} is empty: volume is zero")
        return pl.Series("volume", np.zeros(raw.height))
    spare = [name for name in raw.columns if "tick" in name.lower() and "vol" in name.lower() and name != found.volume]
    if spare and (volume == 0).all():
        notes.append(f"{found.volume!r} is zero throughout; for ticks as volume say `--column volume={spare[0]}`")
    return volume


def _symbols(
    raw: pl.DataFrame, found: Columns, table: RawTable, named: NameParts, asked: str | None, notes: list[str]
) -> pl.Series:
    if found.symbol is not None:
        return raw[found.symbol].cast(pl.String).str.strip_chars()
    said = table.symbol or (named.symbol if named.timeframe is not None else None)
    if asked and said and table.path is not None and not _agree(asked, said, table.path.name):
        raise DataError(
            f"{table.name} is of {said} by its name, asked for was {asked!r}.",
            remedy="Leave the symbol out, choose the file of that instrument, or rename the file if its name is wrong.",
        )
    name = asked or table.symbol or named.symbol
    if name is None:
        notes.append(f"the source names no symbol: {UNNAMED} (say it with `--symbol`, symbol=...)")
    return pl.Series(SYMBOL, [name or UNNAMED] * raw.height, dtype=pl.String)


def _agree(asked: str, said: str, file_name: str) -> bool:
    """Whether a file that says one symbol may be called another: BTCUSDT for BTC/USDT:USDT, or a word of its name."""
    one, other, whole = ("".join(c for c in text.upper() if c.isalnum()) for text in (asked, said, file_name))
    return one in other or other in one or one in whole


def _chosen(frame: pl.DataFrame, symbol: str, where: str) -> pl.DataFrame:
    chosen = frame.filter(pl.col(SYMBOL) == symbol)
    if chosen.is_empty():
        known = frame[SYMBOL].drop_nulls().unique(maintain_order=True).to_list()
        raise DataError(f"{where} holds no symbol {symbol!r}.", remedy=f"It holds {_listed(known)}.")
    return chosen


def _timeframe(parts: list[pl.DataFrame], asked: str | Timeframe | None, reading: _Reading) -> Timeframe:
    times = [part[TIMESTAMP].cast(pl.Int64).to_numpy() for part in parts]
    if asked is None:
        found, note = find_timeframe(times, hint=reading.hint, where=reading.source.name)
        reading.notes.extend([note] if note else [])
        return found
    length = Timeframe.parse(asked)
    check_timeframe(times, length, where=reading.source.name)
    return length


def _closed(
    parts: dict[str, pl.DataFrame], length: Timeframe, now_ms: int, notes: list[str]
) -> dict[str, pl.DataFrame]:
    limit = pl.lit(now_ms - length.milliseconds, dtype=pl.Int64).cast(TIME_TYPE)
    closed = {name: part.filter(pl.col(TIMESTAMP) <= limit) for name, part in parts.items()}
    dropped = sum(part.height - closed[name].height for name, part in parts.items())
    if dropped:
        notes.append(f"dropped {dropped:,} candle{'' if dropped == 1 else 's'} that had not closed yet")
    kept = {name: part for name, part in closed.items() if part.height}
    if not kept:
        raise CandleError("None of the candles had closed yet.", remedy="Wait for the close, or check the time zone.")
    return kept


def _rising(part: pl.DataFrame) -> NDArray[np.int64]:
    times: NDArray[np.int64] = part[TIMESTAMP].drop_nulls().cast(pl.Int64).unique().sort().to_numpy()
    return times


def _listed(names: list[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
