"""Numeric channels as detectors read them: checked values, their names, and where a history is broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.domain.errors import ColumnError, DataError

BadRows = Literal["refuse", "mask"]
"""What to do with rows that are not numbers: refuse the table, or bridge short runs and break at longer ones."""

_TIME_NAMES = ("timestamp", "time", "datetime", "date")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of channels in time order.

    Attributes:
        columns: names of the channels.
        values: float64 (n_rows, channels), finite; bad rows hold the row before them, or zeros where none is.
        bad: bool (n_rows,): rows that were not numbers.
        stretches: first and last + 1 row of each unbroken part; no window crosses from one to the next.
        index: what the rows are called, one value each: times as the source has them, else positions.
        pandas_index: the index of the pandas frame that the rows came in, None for anything else.
    """

    columns: tuple[str, ...]
    values: NDArray[np.float64]
    bad: NDArray[np.bool_]
    stretches: tuple[tuple[int, int], ...]
    index: pl.Series
    pandas_index: Any = None

    def __len__(self) -> int:
        return len(self.values)


def as_table(
    X: Any,
    *,
    entity: Any = None,
    time: Any = None,
    bad_rows: BadRows = "refuse",
    bridge: int = 3,
) -> Table:
    """Read an array or a frame.

    Args:
        X: array of shape (n_rows, channels) or (n_rows,), polars or pandas frame. All columns but entity and time must
            be numeric.
        entity: what each row belongs to: an array of n_rows, or the name of a column. The history breaks where it
            changes.
        time: when each row was: an array of n_rows, or the name of a column; a pandas index of times and a column
            called timestamp, time, datetime or date are taken without being asked for. The history breaks where the
            step is longer than 1.5 times the usual one.
        bad_rows: `refuse` raises DataError at a row with NaN or infinity. `mask` repeats the row before it for up to
            `bridge` rows and breaks the history where the run is longer.
        bridge: rows.

    Raises ColumnError for a column that is not numeric or missing, DataError for bad rows or times that fall back.
    """
    if isinstance(X, Table):
        return X
    given = X.index if _is_pandas(X) else None
    columns, values, entities, times, names = _read(X, entity, time)
    n = len(values)
    bad: NDArray[np.bool_] = np.asarray(~np.isfinite(values).all(axis=1))
    if bad.any() and bad_rows == "refuse":
        row = int(np.flatnonzero(bad)[0])
        column = columns[int(np.flatnonzero(~np.isfinite(values[row]))[0])]
        raise DataError(
            f"Row {row} holds {values[row][columns.index(column)]} in column {column!r}; {int(bad.sum())} of {n} rows "
            "hold values that are not numbers.",
            remedy='Fill or remove them, or choose bad_rows = "mask" (`triptych anomaly fit --mask`).',
        )
    if n == 0:
        raise DataError("There are no rows.", remedy="Bring at least a window of rows.")
    if entities is not None:
        _refuse_interleaved(entities)
    breaks = np.zeros(n, dtype=bool)  # a new stretch begins at the row
    breaks[:1] = True
    if entities is not None:
        breaks[1:] |= entities[1:] != entities[:-1]
    if times is not None and n > 1:
        breaks[1:] |= _gaps(times, breaks[1:])
    filled, usable = fill(values, bad, breaks, bridge)
    return Table(
        columns=columns, values=filled, bad=bad, stretches=_stretches(breaks, usable), index=names, pandas_index=given
    )  # fmt: skip


def _is_pandas(X: Any) -> bool:
    return not isinstance(X, pl.DataFrame) and hasattr(X, "columns") and hasattr(X, "index")


def _plain(values: Any) -> NDArray[Any]:
    """A pandas column or index as an array; times with a zone as UTC."""
    if getattr(values.dtype, "tz", None) is not None:
        zoned = values.dt if hasattr(values, "dt") else values
        plain = zoned.tz_convert("UTC")
        values = (plain.dt if hasattr(plain, "dt") else plain).tz_localize(None)
    return np.asarray(values.to_numpy())


def _read(X: Any, entity: Any, time: Any) -> tuple[tuple[str, ...], NDArray[np.float64], Any, Any, pl.Series]:
    """Names and values of the channels, entities and times (None where there are none), and what rows are called."""
    if _is_pandas(X):
        if time is None and hasattr(X.index, "tz"):
            time = _plain(X.index)
        X = pl.DataFrame({str(name): _plain(X[name]) for name in X.columns})
    if not isinstance(X, pl.DataFrame):
        array = np.asarray(X, dtype=np.float64)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2:
            raise DataError(f"Expected an array of shape (rows, channels), was {array.shape}.")
        X = pl.DataFrame({f"channel {i}": array[:, i] for i in range(array.shape[1])})
    if time is None:
        time = next((name for name in X.columns if name.lower() in _TIME_NAMES), None)
    taken = [name for name in (entity, time) if isinstance(name, str)]
    missing = [name for name in taken if name not in X.columns]
    if missing:
        raise ColumnError(f"There is no column {missing[0]!r}.", remedy=f"Columns are {', '.join(X.columns)}.")
    found = [X[one].to_numpy() if isinstance(one, str) else one for one in (entity, time)]
    entities, times = (None if one is None else np.asarray(one) for one in found)
    channels = X.drop(taken)
    wrong = [name for name, kind in channels.schema.items() if not (kind.is_numeric() or kind == pl.Boolean)]
    if wrong:
        raise ColumnError(
            f"Column {wrong[0]!r} is not numeric.", remedy="Drop it, or name it as entity or time of the rows."
        )
    if not channels.width:
        raise ColumnError("There is no numeric column.", remedy="Bring at least one channel.")
    values = channels.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    for one, what in ((entities, "entity"), (times, "time")):
        if one is not None and len(one) != len(values):
            raise DataError(f"There are {len(values)} rows and {len(one)} values of {what}.")
    if times is None:
        names = pl.Series("row", np.arange(len(values)))
    else:
        names = X[time].alias("time") if isinstance(time, str) else pl.Series("time", times)
    return tuple(channels.columns), np.ascontiguousarray(values, dtype=np.float64), entities, times, names


def _refuse_interleaved(entities: NDArray[Any]) -> None:
    """Raise DataError where an entity's rows do not stand together: no window of it would be whole."""
    names = entities.astype(str)
    runs = int((names[1:] != names[:-1]).sum()) + 1
    known = len(np.unique(names))
    if runs > known:
        again = next(i for i in range(1, len(names)) if names[i] != names[i - 1] and names[i] in set(names[:i]))
        raise DataError(
            f"The rows of {known} entities are interleaved: {str(names[again])!r} begins again in row {again}.",
            remedy="Sort the rows by entity, then by time.",
        )


def _gaps(times: NDArray[Any], borders: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each row after the first comes late; `borders` are those where another entity begins anyway."""
    steps = np.diff(times).astype(np.float64)
    inside = steps[~borders]
    if (inside <= 0).any():
        row = int(np.flatnonzero((steps <= 0) & ~borders)[0]) + 1
        raise DataError(f"The time of row {row} is not later than the one before it.", remedy="Sort the rows by time.")
    usual = float(np.median(inside)) if inside.size else 0.0
    return np.asarray(steps > 1.5 * usual)


def fill(
    values: NDArray[np.float64], bad: NDArray[np.bool_], breaks: NDArray[np.bool_], bridge: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values with bad rows replaced, and which rows a window may hold."""
    filled, usable = np.where(bad[:, None], 0.0, values), np.ones(len(values), dtype=bool)
    run = 0
    for row in np.flatnonzero(bad):
        follows = row > 0 and not breaks[row]
        run = run + 1 if follows and bad[row - 1] else 1
        if follows and usable[row - 1] and run <= bridge:
            filled[row] = filled[row - 1]
        else:
            usable[row] = False
    return filled, usable


def _stretches(breaks: NDArray[np.bool_], usable: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """First and last + 1 of each run of usable rows without a break."""
    n = len(usable)
    previous = np.concatenate(([False], usable[:-1]))
    following = np.concatenate((usable[1:], [False]))
    ends_after = np.concatenate((breaks[1:], [True])) if n else np.zeros(0, dtype=bool)
    starts = np.flatnonzero(usable & (breaks | ~previous))
    stops = np.flatnonzero(usable & (ends_after | ~following)) + 1
    return tuple(zip(starts.tolist(), stops.tolist(), strict=True))


def concatenate(parts: Sequence[NDArray[np.float64]], channels: int) -> NDArray[np.float64]:
    """Stretches below one another, (n_rows, channels)."""
    return np.concatenate(parts) if len(parts) else np.zeros((0, channels))
