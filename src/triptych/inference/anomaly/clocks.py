"""Columns that count time or rows and are no channels."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.domain.errors import ColumnError, DataError
from triptych.inference.anomaly.instants import instants
from triptych.inference.anomaly.table import Table

_FEWEST: Final = 10  # steps that show a clock
_ALIKE, _STEADY = 0.1, 0.9  # steps this near to their median are alike; such a share of them makes a steady rise
_RISING: Final = 0.98  # share of steps that go the same way: a clock may stand still or be set back now and then
_YEARS: Final = (631_152_000_000.0, 4_102_444_800_000.0)  # 1990 and 2100 in UTC milliseconds


def refuse_clocks(table: Table, meant: Collection[str]) -> None:
    """Raise ColumnError for a channel that counts time or rows, unless it is `meant`.

    Such a one rises or falls steadily within each entity, or holds rising times since 1970. Nothing can be learnt from
    it, and later rows would always be out.
    """
    for i, name in enumerate(table.columns):
        runs = [table.values[start:stop, i][~table.bad[start:stop]] for start, stop in table.of_entities()]
        with np.errstate(over="ignore"):  # of huge values that change sign, which no clock does
            steps = np.concatenate([np.diff(one) for one in runs])
        if name not in meant and len(steps) >= _FEWEST and _counts(steps, table.values[:, i]):
            raise ColumnError(
                f"Column {name!r} rises or falls from row to row, by {np.median(steps):g} on the median: it is a "
                "clock, or a number of rows, and no channel. Later rows would always be out.",
                remedy=f"Name it as the time of the rows (--time {name!r}), leave it out (--drop {name!r}), or say "
                f"that it is meant (--keep {name!r}, in Python counters=[{name!r}]).",
            )


def _counts(steps: NDArray[np.float64], values: NDArray[np.float64]) -> bool:
    if max((steps > 0).mean(), (steps < 0).mean()) < _RISING:
        return False
    usual = np.median(steps)
    if (np.abs(steps - usual) <= _ALIKE * abs(usual)).mean() >= _STEADY:
        return True
    try:
        read = instants(pl.Series(values))
    except DataError:
        return False
    return read.clock == "utc" and _YEARS[0] <= read.values.min() and read.values.max() < _YEARS[1]
