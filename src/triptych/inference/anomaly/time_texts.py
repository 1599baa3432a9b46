"""Texts that say when a row was: ISO 8601, and the forms that spreadsheets and loggers write."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from itertools import product

import polars as pl

from triptych.domain.errors import DataError

_DAYS = (
    "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d %b %Y", "%d-%b-%Y", "%b %d %Y", "%b %d, %Y", "%a %b %d %Y", "%a, %d %b %Y",
)  # fmt: skip
_HOURS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S%.f", " %I:%M %p", " %I:%M:%S %p")
_DAY_FIRST, _MONTH_FIRST = ("%d/%m/%Y", "%d-%m-%Y"), ("%m/%d/%Y", "%m-%d-%Y")
_DATE_LIKE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
REMEDY = "Write times as ISO 8601 (2024-01-31T09:30:00), as datetimes, or as seconds or milliseconds since 1970."


def iso_ms(text: str) -> float:
    """A text as ISO 8601 in UTC milliseconds, one without a zone being UTC; NaN for anything else."""
    try:
        return utc_ms(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):
        return math.nan


def utc_ms(time: datetime) -> float:
    """A datetime in UTC milliseconds; one without a zone is UTC."""
    return ((time if time.tzinfo is not None else time.replace(tzinfo=UTC)) - _EPOCH) / _MILLISECOND


def number_in(text: str) -> float:
    """The number that a text holds, or NaN."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def looks_like_a_date(text: str) -> bool:
    """Whether a text holds three numbers joined as those of a date."""
    return _DATE_LIKE.search(text) is not None


def texts_ms(texts: pl.Series) -> list[float]:
    """UTC milliseconds of texts that are all of one form; those that are ISO 8601 may differ.

    Raises DataError where a text is no time, and where the day cannot be told from the month.
    """
    plain = texts.str.strip_chars()
    found = [iso_ms(text) for text in plain.to_list()]
    if not any(math.isnan(one) for one in found):
        return found
    for day, hour in product(_DAYS, _HOURS):
        read = _as(plain, day + hour)
        if read is not None:
            return read
    for (first, second), hour in product(zip(_DAY_FIRST, _MONTH_FIRST, strict=True), _HOURS):
        by_day, by_month = _as(plain, first + hour), _as(plain, second + hour)
        if by_day is not None and by_month is not None and by_day != by_month:
            raise DataError(
                f"Whether {texts[0]!r} begins with the day or with the month cannot be told: all {len(texts)} times "
                "can be read both ways.",
                remedy=REMEDY,
            )
        if by_day is not None or by_month is not None:
            return by_day or by_month or []
    row = next(i for i, one in enumerate(found) if math.isnan(one))
    raise DataError(f"The time of row {row} cannot be read: {texts[row]!r}.", remedy=REMEDY)


def _as(texts: pl.Series, form: str) -> list[float] | None:
    """UTC milliseconds of texts that all have this form, else None."""
    for some in (texts.head(1), texts):  # most forms fail at the first text
        if "%H" in form or "%I" in form:
            read = some.str.to_datetime(form, time_unit="us", strict=False)
        else:
            read = some.str.to_date(form, strict=False).cast(pl.Datetime("us"))
        if read.null_count():
            return None
    return (read.to_physical().cast(pl.Float64) / 1000.0).to_list()
