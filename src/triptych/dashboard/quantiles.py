"""Percentiles from the buckets of a Prometheus histogram.

Within a bucket values are taken to lie evenly, as `histogram_quantile` of Prometheus does; a percentile that falls
behind the last finite bound is only known to be above it, and is given as that bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """Cumulative counts by upper bound, in order; the last bound is infinite."""

    labels: Mapping[str, str]
    bounds: tuple[float, ...]
    counts: tuple[float, ...]

    @property
    def total(self) -> float:
        """How many values there were."""
        return self.counts[-1] if self.counts else 0.0

    def quantile(self, share: float) -> float | None:
        """The value below which this share of values lies; None while there are none."""
        if not self.total:
            return None
        rank = share * self.total
        below, floor = 0.0, 0.0
        for bound, count in zip(self.bounds, self.counts, strict=True):
            if count >= rank and count > below:
                if math.isinf(bound):
                    return floor
                return floor + (bound - floor) * (rank - below) / (count - below)
            below, floor = count, floor if math.isinf(bound) else bound
        return floor

    def shares(self) -> list[tuple[float, float]]:
        """(upper bound, share of values in this bucket) of the finite buckets."""
        previous, found = 0.0, []
        for bound, count in zip(self.bounds, self.counts, strict=True):
            if not math.isinf(bound):
                found.append((bound, (count - previous) / self.total if self.total else 0.0))
            previous = count
        return found


def histograms(samples: Sequence[Mapping[str, Any]], name: str) -> list[Histogram]:
    """All histograms of one name, one for each combination of labels."""
    buckets: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for sample in samples:
        if sample["name"] == f"{name}_bucket":
            labels = tuple(sorted((key, one) for key, one in sample["labels"].items() if key != "le"))
            bound = float(sample["labels"]["le"])
            buckets.setdefault(labels, []).append((bound, float(sample["value"] or 0.0)))
    found = []
    for labels, pairs in buckets.items():
        pairs.sort()
        found.append(
            Histogram(labels=dict(labels), bounds=tuple(b for b, _ in pairs), counts=tuple(c for _, c in pairs))
        )
    return found


def values(samples: Sequence[Mapping[str, Any]], name: str) -> list[tuple[dict[str, str], float | None]]:
    """Labels and value of every sample of one name."""
    return [(dict(sample["labels"]), sample["value"]) for sample in samples if sample["name"] == name]
