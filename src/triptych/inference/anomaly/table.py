"""Numeric channels as detectors read them: checked values, their names, and where a history is broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.domain.errors import ColumnError, DataError
from triptych.inference.anomaly.course import not_later, without_odd_times
from triptych.inference.anomaly.instants import Instants, as_series, instants
from triptych.inference.anomaly.steps import LATE, Usual, each_its_own, own_steps
from triptych.inference.anomaly.time_columns import time_column
from triptych.inference.anomaly.time_texts import looks_like_a_date

BadRows = Literal["refuse", "mask"]
"""What to do with rows that are not numbers: refuse the table, or bridge short runs and break at longer ones."""


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
        times: when the rows were, None where they had no times.
        entities: what each row belongs to, under the name of its column; None where nothing says so.
        gaps: how often the rows' times break the history.
        steps: the median step of each entity that has rows enough to tell; of "" where there are no entities.
        time_column: the column that the times stood in, None where they came otherwise.
        ignored: columns of the source that are no channels of the detector's.
        order: int64 (n_rows,): where each row stood in the source, whose entities were interleaved and stand one
            behind the other here; None where rows are as they came.
    """

    columns: tuple[str, ...]
    values: NDArray[np.float64]
    bad: NDArray[np.bool_]
    stretches: tuple[tuple[int, int], ...]
    index: pl.Series
    pandas_index: Any = None
    times: Instants | None = None
    entities: pl.Series | None = None
    gaps: int = 0
    steps: Mapping[str, float] = field(default_factory=dict)
    time_column: str | None = None
    ignored: tuple[str, ...] = ()
    order: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def as_came(self, rows: NDArray[Any]) -> NDArray[Any]:
        """What is said of the rows, (n_rows, ...), in the order of the source."""
        if self.order is None:
            return rows
        found = np.empty_like(rows)
        found[self.order] = rows
        return found

    def from_source(self, rows: NDArray[Any]) -> NDArray[Any]:
        """What the source says of its rows, (n_rows, ...), in the order of the table."""
        return rows if self.order is None else rows[self.order]

    def part(self, start: int, stop: int) -> Table:
        """The rows from `start` to `stop` - 1 alone; no stretch may cross these borders."""
        own = tuple((a - start, b - start) for a, b in self.stretches if start <= a < stop)
        return replace(
            self, values=self.values[start:stop], bad=self.bad[start:stop], stretches=own,
            index=self.index[start:stop], pandas_index=None, times=None, entities=None, gaps=0, order=None,
        )  # fmt: skip

    def of_entities(self) -> list[tuple[int, int]]:
        """First and last + 1 row of each entity; all rows where nothing says what they belong to."""
        return _runs(self.entities, len(self))


def as_table(
    X: Any,
    *,
    entity: Any = None,
    time: Any = None,
    bad_rows: BadRows = "refuse",
    bridge: int = 3,
    breaks: bool = True,
    leave_out: NDArray[np.bool_] | None = None,
    columns: Sequence[str] | None = None,
    usual: Usual = each_its_own,
) -> Table:
    """Read an array or a frame.

    Args:
        X: array of shape (n_rows, channels) or (n_rows,), polars or pandas frame. All columns but entity and time must
            be numeric.
        entity: what each row belongs to: an array of n_rows, or the name of a column. The history breaks where it
            changes. Rows of entities that are interleaved, as in files in order of time, are put one entity behind the
            other, each in the order in which it came; `order` then says so.
        time: when each row was (see `instants`): an array of n_rows, or the name of a column; a pandas index of times
            and a column whose name says so (see `time_column`) are taken without being asked for. The history breaks
            where the step is longer than 1.5 times the usual one of its entity. A row whose time is so far ahead, and
            wrong since the next goes on from the row before, is a bad row (see `course`).
        bad_rows: `refuse` raises DataError at a row with NaN or infinity. `mask` repeats the row before it for up to
            `bridge` rows and breaks the history where the run is longer.
        bridge: rows.
        breaks: whether gaps in time break the history.
        leave_out: bool (n_rows,): rows that break the history whatever they hold, such as known anomalies.
        columns: channels to take of a frame, by name and in this order; other columns are ignored. None takes all.
        usual: tells the usual step of each entity, see `Usual`.

    Raises ColumnError for a column that is not numeric or missing, DataError for bad rows or times that fall back.
    """
    if isinstance(X, Table):
        return X
    given = X.index if _is_pandas(X) else None
    read = _read(X, entity, time, columns)
    order = _one_by_one(read.entities)
    source = np.arange(len(read.values)) if order is None else order  # where each row stood
    if order is not None:
        read = read.ordered(order)
    columns, values, entities, times = read.columns, read.values, read.entities, read.times
    out = np.zeros(len(values), dtype=bool) if leave_out is None else np.asarray(leave_out, dtype=bool)[source]
    n = len(values)
    bad: NDArray[np.bool_] = np.asarray(~np.isfinite(values).all(axis=1))
    wrong = bad & ~out
    if wrong.any() and bad_rows == "refuse":
        row = int(np.flatnonzero(wrong)[np.argmin(source[wrong])])
        column = columns[int(np.flatnonzero(~np.isfinite(values[row]))[0])]
        raise DataError(
            f"Row {source[row]} holds {values[row][columns.index(column)]} in column {column!r}; {int(wrong.sum())} of "
            f"{n} rows hold values that are not numbers.",
            remedy='Fill or remove them, or choose bad_rows = "mask" (`triptych anomaly fit --mask`).',
        )
    if n == 0:
        raise DataError("There are no rows.", remedy="Bring at least a window of rows.")
    begins = np.zeros(n, dtype=bool)  # a new stretch
    begins[:1] = True
    if entities is not None:
        begins[1:] |= (entities != entities.shift(1)).fill_null(True).to_numpy()[1:]
    gaps = 0
    steps: dict[str, float] = {}
    if times is not None and n > 1:
        times, odd, late, steps = _paced(times, entities, begins, usual, source, refuse=bad_rows == "refuse")
        bad = bad | odd
        gaps = int((late & ~begins[1:]).sum())
        begins[1:] |= late & breaks
    filled, usable = fill(values, bad, begins, bridge, usable=~out)
    return Table(
        columns=columns, values=filled, bad=bad, stretches=_stretches(begins, usable), index=read.names,
        pandas_index=given, times=times, entities=entities, gaps=gaps if breaks else 0, steps=steps,
        time_column=read.time_column, ignored=read.ignored, order=order,
    )  # fmt: skip


def _runs(entities: pl.Series | None, rows: int) -> list[tuple[int, int]]:
    """First and last + 1 row of each run of one entity."""
    if entities is None:
        return [(0, rows)]
    lengths = entities.rle().struct.field("len").to_list()
    stops = np.cumsum(lengths).tolist()
    return [(stop - length, stop) for stop, length in zip(stops, lengths, strict=True)]


def _is_pandas(X: Any) -> bool:
    return not isinstance(X, pl.DataFrame) and hasattr(X, "columns") and hasattr(X, "index")


def _plain(values: Any) -> NDArray[Any]:
    """A pandas column or index as an array; times with a zone as UTC."""
    if getattr(values.dtype, "tz", None) is not None:
        zoned = values.dt if hasattr(values, "dt") else values
        plain = zoned.tz_convert("UTC")
        values = (plain.dt if hasattr(plain, "dt") else plain).tz_localize(None)
    return np.asarray(values.to_numpy())


def _times_of_index(index: Any) -> Any:
    """A pandas index where it holds times, or texts that are times; else None: such rows are only named."""
    if hasattr(index, "tz") or "period" in str(index.dtype):
        return index
    first = index[0] if len(index) else None
    if not isinstance(first, str):
        return None
    try:
        instants([first])
    except DataError:
        return index if looks_like_a_date(first) else None
    return None if first.strip().isdigit() else index


def _refuse_twins(names: Sequence[str]) -> None:
    """Raise ColumnError where two columns have one name: which of them is meant cannot be told."""
    twins = [name for name in names if names.count(name) > 1]
    if twins:
        raise ColumnError(f"{names.count(twins[0])} columns are called {twins[0]!r}.", remedy="Give each its own name.")


@dataclass(frozen=True, kw_only=True)
class _Source:
    """What was read: channels, entities and times (None where there are none), and what rows are called."""

    columns: tuple[str, ...]
    values: NDArray[np.float64]
    entities: pl.Series | None
    times: Instants | None
    names: pl.Series
    time_column: str | None
    ignored: tuple[str, ...]

    def ordered(self, order: NDArray[np.int64]) -> _Source:
        """The same with its rows in another order."""
        times = None if self.times is None else replace(self.times, values=self.times.values[order])
        assert self.entities is not None
        return replace(
            self, values=np.ascontiguousarray(self.values[order]), entities=self.entities[order], times=times,
            names=self.names[order],
        )  # fmt: skip


def _read(X: Any, entity: Any, time: Any, wanted: Sequence[str] | None) -> _Source:
    has_names = isinstance(X, pl.DataFrame) or _is_pandas(X)
    if _is_pandas(X):
        columns = [str(name) for name in X.columns]
        _refuse_twins(columns)
        if time is None:
            time = _times_of_index(X.index)
        X = pl.DataFrame({name: _plain(X.iloc[:, i]) for i, name in enumerate(columns)})
    if not isinstance(X, pl.DataFrame):
        try:
            array = np.asarray(X, dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"A {type(X).__name__} of this kind cannot be read as rows of numbers.",
                remedy="Bring an array of numbers, or a polars or pandas frame.",
            ) from error
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2:
            raise DataError(f"Expected an array of shape (rows, channels), was {array.shape}.")
        X = pl.DataFrame({f"channel {i}": array[:, i] for i in range(array.shape[1])})
    if time is None:
        time = time_column(X, {*(wanted or ()), entity if isinstance(entity, str) else None})
    taken = [name for name in (entity, time) if isinstance(name, str)]
    missing = [name for name in taken if name not in X.columns]
    if missing:
        raise ColumnError(f"There is no column {missing[0]!r}.", remedy=f"Columns are {', '.join(X.columns)}.")
    entities = None if entity is None else X[entity] if isinstance(entity, str) else pl.Series("entity", entity)
    given = None if time is None else as_series(X[time] if isinstance(time, str) else time).alias("time")
    channels = X.drop(taken)
    ignored: tuple[str, ...] = ()
    if wanted is not None and has_names:
        channels, ignored = _chosen(channels, wanted)
    wrong = [name for name, kind in channels.schema.items() if not (kind.is_numeric() or kind == pl.Boolean)]
    if wrong:
        raise ColumnError(
            f"Column {wrong[0]!r} is not numeric{_where(channels[wrong[0]])}.",
            remedy="Drop it, or name it as entity or time of the rows.",
        )
    if not channels.width:
        raise ColumnError("There is no numeric column.", remedy="Bring at least one channel.")
    values = channels.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    for one, what in ((entities, "entity"), (given, "time")):
        if one is not None and len(one) != len(values):
            raise DataError(f"There are {len(values)} rows and {len(one)} values of {what}.")
    names = pl.Series("row", np.arange(len(values))) if given is None else given
    times = None if given is None or not len(given) else instants(given)
    return _Source(
        columns=tuple(channels.columns), values=np.ascontiguousarray(values, dtype=np.float64), entities=entities,
        times=times, names=names, time_column=time if isinstance(time, str) else None, ignored=ignored,
    )  # fmt: skip


def _chosen(channels: pl.DataFrame, wanted: Sequence[str]) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The channels of the fit by name, in its order, and the names of the others."""
    missing = [name for name in wanted if name not in channels.columns]
    if missing:
        raise ColumnError(
            f"The detector was fitted on the columns {', '.join(wanted)}; these rows have no {missing[0]!r}.",
            remedy=f"Bring that column too; theirs are {', '.join(channels.columns) or 'none'}.",
        )
    return channels.select(wanted), tuple(name for name in channels.columns if name not in wanted)


def _where(column: pl.Series) -> str:
    """Which row holds no number, where other rows of a column of texts do."""
    if column.dtype != pl.String:
        return ""
    numbers = column.str.strip_chars().cast(pl.Float64, strict=False)
    wrong = (numbers.is_null() & column.is_not_null()).arg_true()
    if numbers.null_count() == len(column) or not len(wrong):
        return ""
    return f": row {wrong[0]} holds {column[wrong[0]]!r}"


def _one_by_one(entities: pl.Series | None) -> NDArray[np.int64] | None:
    """The order in which the rows of each entity stand together, as they came, the entities in order of their first
    rows; None where they stand so already."""
    if entities is None:
        return None
    names = entities.cast(pl.String).fill_null("").to_numpy().astype(str)
    _, first, known = np.unique(names, return_index=True, return_inverse=True)
    if int((names[1:] != names[:-1]).sum()) + 1 <= len(first):
        return None
    return np.argsort(first[known], kind="stable")


def _paced(
    times: Instants,
    entities: pl.Series | None,
    begins: NDArray[np.bool_],
    usual: Usual,
    source: NDArray[np.int64],
    *,
    refuse: bool,
) -> tuple[Instants, NDArray[np.bool_], NDArray[np.bool_], dict[str, float]]:
    """The times with wrong ones put right, which these are (see `without_odd_times`), whether each row after the first
    comes late, and the median steps by entity where they are known.

    `begins` are the rows that begin an entity, `source` says where each row stood, for messages.
    """
    runs = _runs(entities, len(times.values))
    names = [""] if entities is None else [str(entities[start]) for start, _ in runs]
    own, pooled = own_steps(times.values, runs)
    limits = usual(times.clock, names, own, pooled)
    by_row = np.repeat(limits, [stop - start for start, stop in runs])
    right, odd = without_odd_times(times.values, begins, by_row, source, refuse=refuse)
    steps = np.diff(right)
    if (steps[~begins[1:]] <= 0).any():
        row = int(np.flatnonzero((steps <= 0) & ~begins[1:])[0]) + 1
        raise not_later(source, row)
    known = {name: float(one) for name, one in zip(names, own, strict=True) if np.isfinite(one)}
    return replace(times, values=right), odd, np.asarray(steps > LATE * by_row[1:]), known


def fill(
    values: NDArray[np.float64],
    bad: NDArray[np.bool_],
    breaks: NDArray[np.bool_],
    bridge: int,
    *,
    usable: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values with bad rows replaced, and which rows a window may hold, of those that are `usable`; None: of all."""
    filled = np.where(bad[:, None], 0.0, values)
    usable = np.ones(len(values), dtype=bool) if usable is None else usable.copy()
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
