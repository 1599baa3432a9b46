"""When rows were, as detectors remember it: the span of a fit and the usual step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from triptych.inference.anomaly.instants import Clock
from triptych.inference.anomaly.steps import differs, middle
from triptych.inference.anomaly.table import Table

_DAY_MS: Final = 86_400_000.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """First and last time of the rows, the median step from row to row, and how many rows a day has.

    In UTC milliseconds, or in the source's own numbers where `clock` is `count` (see `instants`). `steps` has the
    entities whose step is another one.

    `rows_per_day` is the median of the calendar days (UTC) that have rows, of each entity by itself and without the day
    on which it begins and that on which it ends: what stops at night has fewer than steps in a day. Where no whole day
    is left, or rows are farther apart than days, it is a day by the step. None where times count something else.
    """

    first: float
    last: float
    step: float
    clock: Clock = "utc"
    rows_per_day: float | None = None
    steps: Mapping[str, float] = field(default_factory=dict)

    def step_of(self, entity: str) -> float:
        """The usual step of an entity; that of all rows for one that is not known."""
        return self.steps.get(entity, self.step)

    @classmethod
    def of(cls, table: Table) -> Self | None:
        """That of a table's rows; None where they had no times."""
        if table.times is None or not len(table):
            return None
        times = table.times.values
        steps = np.diff(times)
        forward = steps[steps > 0]  # entities stand below one another
        step, clock = middle(forward), table.times.clock
        others = {name: own for name, own in table.steps.items() if differs(own, step)}
        days = [times[start:stop] // _DAY_MS for start, stop in table.of_entities()]
        return cls(
            first=float(times.min()), last=float(times.max()), clock=clock, step=step,
            rows_per_day=_rows_per_day(days, step) if clock == "utc" else None, steps=others,
        )  # fmt: skip


def rows_per_day_at(step: float) -> float | None:
    """Rows of a day of 24 hours, by the step from row to row in milliseconds; None where there is no step."""
    return _DAY_MS / step if step > 0 else None


def _rows_per_day(days: list[NDArray[np.float64]], step: float) -> float | None:
    """See `Span`; `days` are those of the rows, by entity."""
    counts = np.concatenate([np.unique(one, return_counts=True)[1][1:-1] for one in days])
    if not counts.size or step > 1.5 * _DAY_MS:
        return rows_per_day_at(step)
    return float(np.median(counts))
