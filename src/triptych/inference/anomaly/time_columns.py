"""Which column says when rows were, by the names that exchanges and users write."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import polars as pl

from triptych.domain.errors import DataError
from triptych.inference.anomaly.instants import instants
from triptych.market.columns import TIME_NAMES, normalise

PLAIN_NAMES: Final = ("timestamp", "time", "datetime", "date")
"""Columns of these names are times whatever they hold."""
_RANK: Final = {name: place for place, name in enumerate((*PLAIN_NAMES, *TIME_NAMES))}


def time_column(frame: pl.DataFrame, others: Collection[str | None] = ()) -> str | None:
    """The column that says when rows were, by its name as exchanges and users write it; None where there is none.

    Numbers under another name than `PLAIN_NAMES` must be times since 1970 or dates such as 20240131: a column `t` may
    be a temperature. Columns in `others` are known to be something else.
    """
    known = [name for name in frame.columns if normalise(name) in _RANK and name not in others]
    for name in sorted(known, key=lambda one: _RANK[normalise(one)]):
        if normalise(name) in PLAIN_NAMES or not frame.schema[name].is_numeric() or _is_utc(frame[name]):
            return name
    return None


def _is_utc(column: pl.Series) -> bool:
    try:
        return instants(column).clock == "utc"
    except DataError:
        return False
