"""How far rows are apart: the usual step of each entity, and whether it is that of the fit.

A detector counts in rows. What is usual within an hour is not what is usual within a minute, so rows of another step
are refused unless they are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from triptych.domain.errors import DataError
from triptych.inference.anomaly.instants import Clock

LATE: Final = 1.5
"""Usual steps beyond which a row is late; a step that differs by this factor either way is another one."""
_FEWEST: Final = 10  # steps that say what is usual

Usual = Callable[[Clock, Sequence[str], NDArray[np.float64], float], NDArray[np.float64]]
"""The step that gaps are judged by, of each entity: from what times count, the names of the entities, their own median
steps (NaN where they have too few rows to say) and the median of all rows. Raises DataError for steps that must not be.
"""


class KnownSteps(Protocol):
    """The steps of a fit, as `Span` has them."""

    @property
    def clock(self) -> Clock: ...
    @property
    def step(self) -> float: ...
    @property
    def steps(self) -> Mapping[str, float]: ...


def own_steps(times: NDArray[np.float64], runs: Sequence[tuple[int, int]]) -> tuple[NDArray[np.float64], float]:
    """The median step within each run of rows, NaN for few rows, and that of all of them, 0 where there is none."""
    inside = [np.diff(times[start:stop]) for start, stop in runs]
    every = np.concatenate(inside) if inside else np.zeros(0)
    own = [float(np.median(one)) if len(one) >= _FEWEST else math.nan for one in inside]
    return np.array(own), middle(every)


def middle(steps: NDArray[np.float64]) -> float:
    """The median as one of the steps themselves: between those of two entities there is none. 0 without steps."""
    return float(np.quantile(steps, 0.5, method="lower")) if steps.size else 0.0


def each_its_own(clock: Clock, names: Sequence[str], own: NDArray[np.float64], pooled: float) -> NDArray[np.float64]:
    """Each entity's own step; that of all rows for those with few."""
    return np.where(np.isfinite(own), own, pooled)


def one_for_all(clock: Clock, names: Sequence[str], own: NDArray[np.float64], pooled: float) -> NDArray[np.float64]:
    """Each entity's own step, which must be that of the others. Raises DataError that names one whose step is not."""
    other = np.flatnonzero([differs(one, pooled) for one in own])
    if other.size:
        name = names[int(other[0])]
        raise DataError(
            f"The rows of {name!r} are {words(own[other[0]], clock)} apart, those of most entities "
            f"{words(pooled, clock)}; {other.size} of {len(names)} entities have another step than most. As many rows "
            "of them would span another time.",
            remedy="Bring rows of one step, or fit a detector for each step; where rows of any step are meant, say "
            'steps="any" (--any-step): then gaps are judged by each entity\'s own step.',
        )
    return each_its_own(clock, names, own, pooled)


def as_fitted(
    clock: Clock, names: Sequence[str], own: NDArray[np.float64], pooled: float, *, fit: KnownSteps, any_step: bool
) -> NDArray[np.float64]:
    """The steps of the fit, which must be those of the rows; with `any_step` that of the rows where it is another one.

    Raises DataError where the rows have another step or their times count something else.
    """
    wanted = np.array([fit.steps.get(name, fit.step) for name in names])
    if any_step:
        if clock != fit.clock:
            return each_its_own(clock, names, own, pooled)
        return np.where([differs(a, b) for a, b in zip(own, wanted, strict=True)], own, wanted)
    remedy = (
        "Bring rows such as those of the fit, or fit a detector on rows such as these; where rows of any step are "
        'meant, say steps="any" (--any-step).'
    )
    if clock != fit.clock:
        counts = {"utc": "times since 1970", "count": "a count of their own, such as seconds since a start"}
        raise DataError(
            f"The times of these rows are {counts[clock]}, those of the fit were {counts[fit.clock]}: whether the rows "
            "are as far apart cannot be told.",
            remedy=remedy,
        )
    other = np.flatnonzero([differs(a, b) for a, b in zip(own, wanted, strict=True)])
    if other.size:
        i = int(other[0])
        whose = "These rows" if len(names) == 1 and not names[0] else f"The rows of {names[i]!r}"
        raise DataError(
            f"{whose} are {words(own[i], clock)} apart; the detector was fitted on rows that are "
            f"{words(wanted[i], clock)} apart.",
            remedy=remedy,
        )
    return wanted


def differs(step: float, usual: float) -> bool:
    """Whether a step is another one than the usual; one that is not known is not."""
    return math.isfinite(step) and usual > 0 and not usual / LATE <= step <= usual * LATE


def words(step: float, clock: Clock) -> str:
    """A step as text: time, or a number where times count something of their own."""
    return f"{step:g}" if clock == "count" else str(timedelta(milliseconds=step))
