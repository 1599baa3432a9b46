"""When rows were, as detectors remember it: the span of a fit and the usual step, in seconds since 1970 (UTC)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Self

import numpy as np

from triptych.inference.anomaly.table import Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """First and last time of the rows and the median step from row to row.

    In seconds since 1970 where the rows had times, in the unit of the column where it held plain numbers.
    """

    first: float
    last: float
    step: float

    @classmethod
    def of(cls, table: Table) -> Self | None:
        """That of a table's rows; None where they had no times."""
        if table.index.name != "time" or not len(table):
            return None
        times = np.array([moment(value) for value in table.index.to_list()], dtype=np.float64)
        if not np.isfinite(times).all():
            return None
        steps = np.diff(times)
        forward = steps[steps > 0]  # entities stand below one another
        return cls(
            first=float(times.min()), last=float(times.max()), step=float(np.median(forward)) if forward.size else 0.0
        )


def moment(value: Any) -> float:
    """A time as seconds since 1970, times without a zone being UTC; a plain number as it is; NaN for anything else."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return math.nan
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
