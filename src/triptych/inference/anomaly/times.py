"""When rows were, as detectors remember it: the span of a fit and the usual step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from triptych.inference.anomaly.instants import Clock
from triptych.inference.anomaly.table import Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """First and last time of the rows and the median step from row to row.

    In UTC milliseconds, or in the source's own numbers where `clock` is `count` (see `instants`).
    """

    first: float
    last: float
    step: float
    clock: Clock = "utc"

    @classmethod
    def of(cls, table: Table) -> Self | None:
        """That of a table's rows; None where they had no times."""
        if table.times is None or not len(table):
            return None
        times = table.times.values
        steps = np.diff(times)
        forward = steps[steps > 0]  # entities stand below one another
        return cls(
            first=float(times.min()), last=float(times.max()), clock=table.times.clock,
            step=float(np.median(forward)) if forward.size else 0.0,
        )  # fmt: skip
