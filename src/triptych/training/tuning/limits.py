"""A candidate's measured costs against the budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from triptych.training.tuning.config import Budget


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one prediction of an untrained candidate takes.

    Attributes:
        p50_ms, p99_ms: milliseconds from window to probabilities: median, and what 1 in 100 exceeds; infinite where
            the size alone was beyond the budget and nothing was timed.
        memory_mb: megabytes of weights and of the tensors that live at the same time.
        parameters: number of them.
    """

    p50_ms: float
    p99_ms: float
    memory_mb: float
    parameters: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what was not timed is None."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """From `to_dict`."""
        given: dict[str, Any] = {name: content[name] for name in cls.__dataclass_fields__}
        timed: dict[str, Any] = {name: math.inf if value is None else value for name, value in given.items()}
        return cls(**timed)

    def latency(self, budget: Budget) -> float:
        """The latency that the budget counts, in milliseconds."""
        return self.p50_ms if budget.quantile == "p50" else self.p99_ms


def overruns(measured: Measured, budget: Budget) -> list[str]:
    """What a candidate has too much of, in words; empty when it is within the budget."""
    found = []
    latency = measured.latency(budget)
    if budget.latency_ms is not None and budget.latency_ms < latency < math.inf:
        found.append(f"latency {budget.quantile} {latency:.3g} ms, the budget is {budget.latency_ms:g} ms")
    if budget.memory_mb is not None and measured.memory_mb > budget.memory_mb:
        found.append(f"memory {measured.memory_mb:.3g} MB, the budget is {budget.memory_mb:g} MB")
    if budget.parameters is not None and measured.parameters > budget.parameters:
        found.append(f"{measured.parameters:,} parameters, the budget is {budget.parameters:,}")
    return found


def least(costs: Sequence[Measured], budget: Budget) -> list[str]:
    """Each limit of the budget beside the least that was measured, in words."""
    found = []
    if budget.latency_ms is not None:
        smallest = min(one.latency(budget) for one in costs)
        seen = f"the smallest measured was {smallest:.3g} ms" if smallest < math.inf else "nothing was worth timing"
        found.append(f"{budget.latency_ms} ms of latency {budget.quantile}, {seen}")
    if budget.memory_mb is not None:
        smallest = min(one.memory_mb for one in costs)
        found.append(f"{budget.memory_mb} MB of memory, the smallest measured was {smallest:.3g} MB")
    if budget.parameters is not None:
        fewest = min(one.parameters for one in costs)
        found.append(f"{budget.parameters} parameters, the smallest measured was {fewest:,}")
    return found
