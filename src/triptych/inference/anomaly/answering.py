"""What a detector answers about a table: limits that move, a frame aligned with the rows, an error that names gaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.domain.errors import NotEnoughData
from triptych.inference.anomaly.table import Table
from triptych.inference.anomaly.thresholds import AbstractThreshold, followed


def moving_limits(
    table: Table, scores: NDArray[np.float64], scored: NDArray[np.bool_], begun: Callable[[], AbstractThreshold]
) -> NDArray[np.float64]:
    """What each row had to exceed where the threshold moves, for each entity by itself as in a stream; (n_rows,).

    `begun` makes a threshold that has seen nothing; `scored` says which rows have a score, bool (n_rows,). Those
    without have the limit of the next one that has.
    """
    limits = np.empty(len(table))
    for start, stop in table.of_entities():
        moving = begun()
        at = start + np.flatnonzero(scored[start:stop])
        found = np.append(followed(moving, scores[at]), moving.value())
        limits[start:stop] = found[np.searchsorted(at, np.arange(start, stop))]
    return limits


def frame_of(
    table: Table,
    scores: NDArray[np.float64],
    limits: NDArray[np.float64],
    reasons: Sequence[str],
    scored: NDArray[np.bool_],
) -> Any:
    """A frame aligned with the rows as they came: pandas with their index if they came so, else polars with a column of
    names. Rows that are not among the `scored`, bool (n_rows,), have no score: null, NaN in pandas."""
    came = table.as_came(np.arange(len(table)))  # where each row of the source stands in the table
    found = [
        *([] if table.entities is None else [table.entities]),
        pl.Series("score", np.where(scored, scores, np.nan), nan_to_null=True),
        pl.Series("threshold", limits),
        pl.Series("alarm", scores > limits),
        pl.Series("bad", table.bad),
        pl.Series("reasons", reasons),
    ]
    if table.pandas_index is None:
        return pl.DataFrame([table.index, *found])[came]
    import pandas as pd  # whoever brings a pandas frame has it

    return pd.DataFrame({one.name: one[came].to_list() for one in found}, index=table.pandas_index)


def because_of_gaps(error: NotEnoughData, table: Table) -> NotEnoughData:
    """The same error, which also says where gaps in the times are what breaks the history."""
    if not table.gaps:
        return error
    return NotEnoughData(
        f"{error.message} {table.gaps} gaps in their times, of more than 1.5 times the usual step, break them.",
        remedy="Where rows stop at night or at weekends, let gaps break nothing: breaks=False (--no-breaks). "
        f"Otherwise: {error.remedy}",
    )
