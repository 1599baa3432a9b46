"""Times as people and exporters write them, turned into UTC milliseconds.

Understood: datetimes and dates as types; epoch numbers in s, ms, us or ns, told apart row by row by their size
(exchanges have changed the unit in the middle of a history); 20230102, 202301021530 and 20230102153000; ISO 8601 with
and without zone; year, month and day in any usual order and writing; date and time of day in two columns.

A text or datetime without a zone is read in the given time zone. The hour that a clock change repeats is told apart by
the order of the rows: where the clock goes back within it, the second hour begins; where it does not, it is taken as
the first. An hour that a clock change skips is unreadable. When every time of a source is midnight on its own clock,
the dates are trading dates and stand at 00:00 UTC: a session keeps its date whatever the zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.domain.errors import ColumnError, DataError

EpochUnit = Literal["s", "ms", "us", "ns"]

_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_OCCURRENCES: Final[tuple[Literal["earliest"], Literal["latest"]]] = ("earliest", "latest")
_PER_MS: Final = {"us": 1_000, "ns": 1_000_000}
# Numbers below are read in the unit: each limit is the year 5138 in its own unit and the spring of 1973 in the next.
_LIMITS: Final = {"s": 10**11, "ms": 10**14, "us": 10**17}
_SMALLEST_EPOCH: Final = 10**8
_CALENDAR_NUMBERS: Final = (
    (19000101, 21001231, "%Y%m%d"),
    (190001010000, 210012312359, "%Y%m%d%H%M"),
    (19000101000000, 21001231235959, "%Y%m%d%H%M%S"),
)
_CLOCKS: Final = (" %H:%M:%S%.f", " %H:%M", "", " %I:%M:%S %p", " %I:%M %p", " %H%M%S")
_PLAIN_DATES: Final = ("%Y-%m-%d", "%Y%m%d", "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d %Y")
_SAMPLE_ROWS: Final = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedTimes:
    """`utc_ms`: Int64 of the source's length, null where no time could be read. `notes`: what was assumed."""

    utc_ms: pl.Series
    notes: tuple[str, ...] = ()


def is_clock(column: pl.Series) -> bool:
    """Whether a column holds a time of day (`09:30`, `93000`) rather than a whole time."""
    if column.dtype == pl.Time:
        return True
    texts = column.drop_nulls().head(50).cast(pl.String).str.strip_chars()
    return not texts.is_empty() and bool(texts.str.contains(r"^\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$|^\d{1,6}$").all())


def read_times(
    column: pl.Series,
    *,
    clock: pl.Series | None = None,
    unit: EpochUnit | None = None,
    timezone: str = "UTC",
    where: str,
) -> ParsedTimes:
    """Times of a column (and of a second one with the time of day) in UTC milliseconds.

    Raises ColumnError when the column holds no times, DataError for an unknown zone or a date order that cannot be
    told.
    """
    if clock is not None:
        return _from_text(_joined(column, clock), timezone, where)
    if column.dtype == pl.Date:
        return ParsedTimes(utc_ms=column.cast(pl.Datetime("ms")).cast(pl.Int64))
    if isinstance(column.dtype, pl.Datetime):
        return _from_datetime(column, timezone)
    if column.dtype == pl.String or column.dtype == pl.Categorical:
        text = column.cast(pl.String).str.strip_chars()
        numbers = text.cast(pl.Float64, strict=False).fill_nan(None)
        if numbers.len() - numbers.null_count() > 0.5 * (text.len() - text.null_count()):
            # Integers first: a nanosecond epoch does not fit into a float.
            whole = text.cast(pl.Int64, strict=False)
            return _from_numbers(
                whole if whole.null_count() == numbers.null_count() else numbers, unit, timezone, where
            )
        return _from_text(text, timezone, where)
    if column.dtype.is_numeric():
        return _from_numbers(column, unit, timezone, where)
    raise ColumnError(
        f"{where}: the column {column.name!r} of type {column.dtype} holds no times.",
        remedy="Name another one: `--column timestamp=NAME`, in Python columns={'timestamp': 'NAME'}.",
    )


def _from_datetime(column: pl.Series, timezone: str) -> ParsedTimes:
    zone = column.dtype.time_zone if isinstance(column.dtype, pl.Datetime) else None
    if zone is None:
        return _localised(column.cast(pl.Datetime("ms")), timezone)
    local = column.cast(pl.Datetime("ms", zone)).dt.replace_time_zone(None).cast(pl.Int64)
    return _trading_dates(column.dt.convert_time_zone("UTC").cast(pl.Datetime("ms", "UTC")).cast(pl.Int64), local, zone)


def _localised(naive: pl.Series, timezone: str) -> ParsedTimes:
    if timezone.upper() == "UTC":
        return ParsedTimes(utc_ms=naive.cast(pl.Int64))
    try:
        first, second = (
            naive.dt.replace_time_zone(timezone, ambiguous=which, non_existent="null") for which in _OCCURRENCES
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"Unknown time zone {timezone!r}.", remedy="Write it like UTC, Asia/Shanghai or America/New_York."
        ) from error
    repeated = (first != second).fill_null(False).to_numpy()
    zoned = first
    if repeated.any():
        is_second = pl.Series(_in_second_hour(naive.cast(pl.Int64).fill_null(0).to_numpy(), repeated))
        zoned = pl.select(pl.when(is_second).then(second).otherwise(first)).to_series().alias(naive.name)
    return _trading_dates(zoned.dt.convert_time_zone("UTC").cast(pl.Int64), naive.cast(pl.Int64), timezone)


def _in_second_hour(local_ms: NDArray[np.int64], repeated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which rows stand in the second of two hours of the same name.

    Args:
        local_ms: int64 of shape (n,), wall clock. repeated: bool of shape (n,), where the clock shows an hour twice.

    Rows run forward, or backward as some exporters write them; within a run of repeated times the clock jumps against
    that direction once. Blocks of several instruments are runs of their own.
    """
    steps = np.diff(local_ms)
    backward = bool((steps < 0).sum() > (steps > 0).sum())
    order = slice(None, None, -1) if backward else slice(None)
    local, again = local_ms[order], repeated[order]
    second = np.zeros(len(local), dtype=np.bool_)
    for t in np.flatnonzero(again):
        if t and again[t - 1] and local[t] - local[t - 1] > -_HOUR_MS * 2:
            second[t] = second[t - 1] or local[t] < local[t - 1]
    return second[order]


def _trading_dates(utc_ms: pl.Series, local_ms: pl.Series, zone: str) -> ParsedTimes:
    shifted = (utc_ms != local_ms).any()
    if shifted and (local_ms.drop_nulls() % _DAY_MS == 0).all():
        note = f"all times are midnights ({zone}): taken as trading dates at 00:00 UTC"
        return ParsedTimes(utc_ms=local_ms, notes=(note,))
    return ParsedTimes(utc_ms=utc_ms)


def _from_numbers(numbers: pl.Series, unit: EpochUnit | None, timezone: str, where: str) -> ParsedTimes:
    known = numbers.drop_nulls()
    if known.dtype.is_float():
        known = known.filter(known.is_finite())
    if known.is_empty():
        return ParsedTimes(utc_ms=pl.Series(numbers.name, [None] * numbers.len(), dtype=pl.Int64))
    if unit is None:
        written = _from_calendar_numbers(numbers, known, timezone)
        if written is not None:
            return written
        if float(known.abs().max()) < _SMALLEST_EPOCH:  # type: ignore[arg-type]
            raise ColumnError(
                f"{where}: the column {numbers.name!r} starts with {known[0]:g}, too small for an epoch time.",
                remedy="Name another column (`--column timestamp=NAME`) or the unit (`--timestamp-unit s`).",
            )
    size = pl.col("n").abs()
    seconds = pl.col("n") * 1000
    in_unit = {
        "s": seconds.round() if numbers.dtype.is_float() else seconds,
        "ms": pl.col("n"),
        **{name: (pl.col("n") / per).floor() for name, per in _PER_MS.items()},
    }
    if not numbers.dtype.is_float():
        in_unit.update({name: pl.col("n") // per for name, per in _PER_MS.items()})
    if unit is not None:
        expression = in_unit[unit]
    else:
        expression = (
            pl.when(size < _LIMITS["s"]).then(in_unit["s"]).when(size < _LIMITS["ms"]).then(in_unit["ms"])
            .when(size < _LIMITS["us"]).then(in_unit["us"]).otherwise(in_unit["ns"])
        )  # fmt: skip
    wide = numbers.cast(pl.Float64 if numbers.dtype.is_float() else pl.Int64).rename("n").to_frame()
    milliseconds = wide.select(expression.cast(pl.Int64, strict=False)).to_series().alias(numbers.name)
    return ParsedTimes(utc_ms=milliseconds)


def _from_calendar_numbers(numbers: pl.Series, known: pl.Series, timezone: str) -> ParsedTimes | None:
    """Times of numbers such as 20230102, provided that every one of them is a day of the calendar."""
    low, high = known.min(), known.max()
    for first, last, form in _CALENDAR_NUMBERS:
        if first <= low and high <= last:  # type: ignore[operator]
            text = numbers.cast(pl.Int64, strict=False).cast(pl.String)
            times = _strptime(text, form)
            # An epoch in milliseconds of the 1970s can have twelve digits too, but not be a calendar all along.
            if times.null_count() == text.null_count():
                return _localised(times, timezone)
    return None


def _joined(date: pl.Series, clock: pl.Series) -> pl.Series:
    days = date.cast(pl.String).str.strip_chars().str.replace(r"[ T]00:00(:00(\.0+)?)?$", "")
    times = clock.cast(pl.String).str.strip_chars()
    digits = times.str.contains(r"^\d+$")
    # 93000 has lost its leading zero, 930 counts hours and minutes.
    long = pl.when(times.str.len_chars() <= 4).then(times.str.zfill(4) + "00").otherwise(times.str.zfill(6))
    times = pl.select(pl.when(digits).then(long).otherwise(times)).to_series()
    return (days + " " + times).alias(date.name)


def _from_text(text: pl.Series, timezone: str, where: str) -> ParsedTimes:
    body, offset_ms = _split_zone(text)
    body = _tidy(body)
    naive = _read_naive(body, where)
    if naive.null_count() == naive.len() and text.null_count() < text.len():
        raise ColumnError(
            f"{where}: no time could be read in the column {text.name!r}, which starts with {text.drop_nulls()[0]!r}.",
            remedy="Name another column (`--column timestamp=NAME`) or write times like 2023-01-31 09:30:00.",
        )
    if offset_ms is None:
        return _localised(naive, timezone)
    local = naive.cast(pl.Int64)
    placed = _localised(naive, timezone).utc_ms if offset_ms.null_count() else local
    utc_ms = (local - offset_ms).fill_null(placed) if offset_ms.null_count() else local - offset_ms
    return _trading_dates(utc_ms.alias(text.name), local, "with their zone")


def _split_zone(text: pl.Series) -> tuple[pl.Series, pl.Series | None]:
    """The text without its zone and the zone's offset in ms; None when no row has one."""
    pattern = r"(?i)(?::\d{2}(?:\.\d+)?|\d[ap]m)\s*(z|utc|gmt|(?:utc|gmt)?[+-]\d{2}:?\d{2}|(?:utc|gmt)?[+-]\d{1,2})$"
    zone = text.str.extract(pattern)
    if zone.null_count() == zone.len():
        return text, None
    digits = zone.str.extract(r"([+-]\d{1,2}:?\d{0,2})$").fill_null("+00").str.replace(":", "", literal=True)
    hours = digits.str.slice(1, 2).cast(pl.Int64)
    minutes = digits.str.slice(3).replace("", "0").cast(pl.Int64)
    sign = pl.select(pl.when(digits.str.starts_with("-")).then(-1).otherwise(1).cast(pl.Int64)).to_series()
    offset = pl.select(pl.when(zone.is_null()).then(None).otherwise(sign * (hours * 60 + minutes) * 60_000)).to_series()
    body = text.str.replace(r"(?i)\s*(?:z|utc|gmt|(?:utc|gmt)?[+-]\d{2}:?\d{2}|(?:utc|gmt)?[+-]\d{1,2})$", "")
    return pl.select(pl.when(zone.is_null()).then(text).otherwise(body)).to_series().alias(text.name), offset


def _tidy(body: pl.Series) -> pl.Series:
    """One writing for the separators: 2023-01-02, 02/01/2023, a blank before the time, minutes after a lone hour."""
    rules = (
        (r"^(\d{4})[./年-](\d{1,2})[./月-](\d{1,2})日?", "$1-$2-$3"),
        (r"^(\d{1,2})\.(\d{1,2})\.(\d{4})", "$3-$2-$1"),  # dots are written where the day comes first
        (r"^(\d{1,2})[.-](\d{1,2})[.-](\d{4}|\d{2})(\D|$)", "$1/$2/$3$4"),
        (r"^(\d{1,2})/(\d{1,2})/([0-6]\d)(\D|$)", "$1/$2/20$3$4"),
        (r"^(\d{1,2})/(\d{1,2})/([7-9]\d)(\D|$)", "$1/$2/19$3$4"),
        (r"(\d)[Tt,]\s?(\d{1,2}:)", "$1 $2"),
        (r" (\d{1,2})[- ]?([AaPp][Mm])$", " $1:00 $2"),
        (r"(\d)\s*([AaPp][Mm])$", "$1 $2"),
    )
    for pattern, replacement in rules:
        if body.head(_SAMPLE_ROWS).str.contains(pattern).any() or body.tail(_SAMPLE_ROWS).str.contains(pattern).any():
            body = body.str.replace(pattern, replacement)
    return body


def _read_naive(body: pl.Series, where: str) -> pl.Series:
    sample = body.gather_every(max(1, body.len() // _SAMPLE_ROWS))
    if sample.str.contains(r"^\d{1,2}/\d{1,2}/\d{4}").any():
        return _read_slashed(body, where)
    forms = [date + clock for date in _PLAIN_DATES for clock in _CLOCKS] + ["%Y%m%d%H%M%S", "%Y%m%d%H%M"]
    return _read_with(body, sample, forms)


def _read_slashed(body: pl.Series, where: str) -> pl.Series:
    """Day or month first? The order that reads more rows, then the one in which time runs more evenly."""
    read = {
        order: _read_with(
            body, body.gather_every(max(1, body.len() // _SAMPLE_ROWS)), [date + clock for clock in _CLOCKS]
        )
        for order, date in (("day first", "%d/%m/%Y"), ("month first", "%m/%d/%Y"))
    }
    day, month = read["day first"], read["month first"]
    if day.null_count() != month.null_count():
        return day if day.null_count() < month.null_count() else month
    disorder = {order: _longest_step(times) for order, times in read.items()}
    if disorder["day first"] == disorder["month first"] and not (day == month).all():
        raise DataError(
            f"{where}: the dates of column {body.name!r}, such as {body.drop_nulls()[0]!r}, can be read day first or "
            "month first.",
            remedy="Write them as year-month-day, such as 2023-01-31.",
        )
    return min(read.items(), key=lambda item: disorder[item[0]])[1]


def _longest_step(times: pl.Series) -> int:
    steps = np.abs(np.diff(times.drop_nulls().cast(pl.Int64).to_numpy()))
    return int(steps.max()) if steps.size else 0


def _read_with(body: pl.Series, sample: pl.Series, forms: list[str]) -> pl.Series:
    """Read with the form that fits the sample best, and what it leaves with every other one that fits some."""
    fits = {form: sample.len() - _strptime(sample, form).null_count() for form in forms}
    order = [form for form in sorted(forms, key=lambda form: -fits[form]) if fits[form] > 0]
    times = pl.Series(body.name, [None] * body.len(), dtype=pl.Datetime("ms"))
    for form in order:
        if times.null_count() > body.null_count():
            read = _strptime(body, form)
            times = read if form == order[0] else times.fill_null(read)
    return times


def _strptime(text: pl.Series, form: str) -> pl.Series:
    return text.str.strptime(pl.Datetime("ms"), form, strict=False)
