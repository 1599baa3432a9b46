"""When rows were, as detectors remember it: the span of a fit and the usual step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from triptych.inference.anomaly.instants import Clock
from triptych.inference.anomaly.steps import differs, middle
from triptych.inference.anomaly.table import Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """First and last time of the rows and the median step from row to row.

    In UTC milliseconds, or in the source's own numbers where `clock` is `count` (see `instants`). `steps` has the
    entities whose step is another one.
    """

    first: float
    last: float
    step: float
    clock: Clock = "utc"
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
        step = middle(forward)
        others = {name: own for name, own in table.steps.items() if differs(own, step)}
        return cls(first=float(times.min()), last=float(times.max()), clock=table.times.clock, step=step, steps=others)
