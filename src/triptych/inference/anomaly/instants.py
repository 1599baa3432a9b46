"""When rows were, in one unit: UTC milliseconds, whatever the times came as."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.domain.errors import DataError
from triptych.inference.anomaly.time_texts import REMEDY, iso_ms, number_in, texts_ms, utc_ms

Clock = Literal["utc", "count"]
"""`utc`: milliseconds since 1970. `count`: numbers of the source's own, such as seconds since a machine's start."""

_COUNTS_BELOW: Final = 1e8
"""Smaller numbers are no times since 1970: as seconds they would lie before 1973, as milliseconds in January 1970."""
_LARGEST: Final = 1e20
_UNITS: Final = ((1e11, 1e3), (1e14, 1.0), (1e17, 1e-3), (_LARGEST, 1e-6))
"""Numbers below, and how many milliseconds one is: seconds, milliseconds, microseconds, nanoseconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Instants:
    """When each of n rows was.

    Attributes:
        values: float64 (n,), UTC milliseconds, or numbers as given where `clock` is `count`.
        clock: what they count.
    """

    values: NDArray[np.float64]
    clock: Clock


def instants(given: Any) -> Instants:
    """Read a column of times.

    Args:
        given: (n,) datetimes, dates, texts (see `time_texts`) or numbers, as a polars or pandas column, an index, an
            array or a list; what has no zone is UTC. Numbers from 1e8 on are seconds, milli-, micro- or nanoseconds
            since 1970 by their size, whole numbers such as 20240131 dates, smaller ones a count of the source's own.

    Raises DataError for what is no time, and for numbers of different units.
    """
    series = as_series(given)
    kind = series.dtype
    if kind.is_numeric() and kind != pl.Boolean:
        values = series.cast(pl.Float64).fill_null(math.nan).to_numpy()
        _refuse_missing(values, series)
        return _of_numbers(values)
    if kind in (pl.String, pl.Categorical) or kind == pl.Enum:
        texts = series.cast(pl.String)
        _refuse_missing(texts.is_null().cast(pl.Float64).replace(1.0, math.nan).to_numpy(), series)
        numbers = np.array([number_in(text) for text in texts.to_list()], dtype=np.float64)
        if np.isfinite(numbers).all() and not all(len(text.strip()) == 8 for text in texts.to_list()):  # 20240131
            return _of_numbers(numbers)
        return Instants(values=np.array(texts_ms(texts), dtype=np.float64), clock="utc")
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        stamps = series.cast(pl.Datetime("us")) if kind == pl.Date else series
        physical = stamps.to_physical().cast(pl.Float64).fill_null(math.nan).to_numpy()
        unit = {"ms": 1.0, "us": 1e-3, "ns": 1e-6}[getattr(stamps.dtype, "time_unit", None) or "us"]
        _refuse_missing(physical, series)
        return Instants(values=physical * unit, clock="utc")
    raise DataError(f"Times cannot be read from a column of the kind {kind}.", remedy=REMEDY)


def moment(value: Any, *, clock: Clock | None = None) -> tuple[float, Clock]:
    """One time as `instants` reads it; NaN for what is none. Texts are ISO 8601 or numbers.

    One number such as 20240131 may be a date or a count: it is a date where the others are known to be times, that is
    where their `clock` is "utc".
    """
    if isinstance(value, str):
        number = number_in(value)
        read = iso_ms(value) if math.isnan(number) or len(value.strip()) == 8 else math.nan  # 20240131
        if not math.isnan(read):
            return read, "utc"
        value = number
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if hasattr(value, "to_timestamp"):  # a pandas period begins then
        value = value.to_timestamp()
    if isinstance(value, date) and value == value:  # pandas' NaT is a date that is not itself
        return utc_ms(value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)), "utc"
    if isinstance(value, (bool, bytes, date)):
        return math.nan, "count"
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan, "count"
    if not abs(number) < _LARGEST:
        return math.nan, "count"
    day = _dates(np.array([number])) if clock == "utc" else None
    if day is not None:
        return float(day[0]), "utc"
    read_numbers = _of_numbers(np.array([number]), dates=False)
    return float(read_numbers.values[0]), read_numbers.clock


def scale_of(number: float) -> float:
    """How many milliseconds one is of a number that says seconds, milli-, micro- or nanoseconds since 1970."""
    return next((scale for below, scale in _UNITS if abs(number) < below), _UNITS[-1][1])


def as_series(given: Any) -> pl.Series:
    """Times as a polars column, which says how they were written. Raises DataError for what holds no times."""
    if isinstance(given, pl.Series) and given.dtype != pl.Object:
        return given
    if hasattr(given, "to_timestamp") and hasattr(given, "dtype"):  # pandas periods, read at their beginning
        given = given.to_timestamp() if "period" in str(given.dtype) else given
    if getattr(getattr(given, "dtype", None), "tz", None) is not None:
        zoned = given.dt if hasattr(given, "dt") else given
        given = zoned.tz_convert("UTC")
        given = (given.dt if hasattr(given, "dt") else given).tz_localize(None)
    array = np.asarray(given.to_numpy() if hasattr(given, "to_numpy") else given)
    if array.dtype.kind == "M":
        whole = array.astype("datetime64[ns]" if array.dtype == "datetime64[ns]" else "datetime64[us]")
        return pl.Series("time", whole)
    if array.dtype.kind != "O":
        return pl.Series("time", array)
    if any(isinstance(one, str) for one in array):
        return pl.Series("time", [None if one is None else str(one) for one in array], dtype=pl.String)
    read = [moment(one) for one in array]
    for row, (one, _) in enumerate(read):
        if math.isnan(one):
            raise DataError(f"The time of row {row} cannot be read: {array[row]!r}.", remedy=REMEDY)
    if all(isinstance(one, (date, np.datetime64)) or hasattr(one, "to_timestamp") for one in array):
        microseconds = [round(1000.0 * one) for one, _ in read]
        return pl.Series("time", microseconds, dtype=pl.Int64).cast(pl.Datetime("us"))
    try:
        return pl.Series("time", [float(one) for one in array])
    except (TypeError, ValueError) as error:
        raise DataError("Times are of different kinds.", remedy=REMEDY) from error


def _refuse_missing(values: NDArray[np.float64], given: pl.Series) -> None:
    missing = np.flatnonzero(~np.isfinite(values))
    if missing.size:
        row = int(missing[0])
        raise DataError(
            f"The time of row {row} is missing ({given[row]}); {missing.size} of {len(values)} rows have none.",
            remedy="Fill them in, or leave those rows out.",
        )


def _of_numbers(values: NDArray[np.float64], *, dates: bool = True) -> Instants:
    size = np.abs(values)
    if not (size >= _COUNTS_BELOW).any():
        found = _dates(values) if dates and len(values) > 1 else None
        return Instants(values=values, clock="count") if found is None else Instants(values=found, clock="utc")
    least, most = float(size.min()), float(size.max())
    if most >= _LARGEST or least < _COUNTS_BELOW or scale_of(least) != scale_of(most):
        raise DataError(
            f"The unit of the times is unclear: they range from {values.min():.16g} to {values.max():.16g}, which are "
            "not of one of seconds, milliseconds, microseconds and nanoseconds since 1970.",
            remedy=REMEDY,
        )
    return Instants(values=values * scale_of(most), clock="utc")


def _dates(values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """UTC milliseconds of whole numbers that are all dates, such as 20240131; None where one is not."""
    if not ((values >= 1.8e7) & (values < 2.3e7) & (values == np.floor(values))).all():
        return None
    read = pl.Series(values.astype(np.int64)).cast(pl.String).str.to_date("%Y%m%d", strict=False)
    if read.null_count():
        return None
    return np.asarray(read.cast(pl.Datetime("ms")).to_physical().cast(pl.Float64).to_numpy())
