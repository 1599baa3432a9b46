"""The leak probe: compute on the whole history and on history cut short, and demand the same values at the cut.

Whatever uses a candle that had not closed yet gives another value once that candle is taken away. The probe knows
nothing of how a value is computed, so it finds leaks in encodings, features, labels, predictions and decisions alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries, utc
from triptych.domain.errors import NotEnoughData

Compute = Callable[[CandleSeries, NDArray[np.int64]], NDArray[Any]]
"""(series, at) -> values of shape (len(at), ...): row i belongs to the close of candle at[i]; NaN means unknown."""

RELATIVE_TOLERANCE = 1e-6
"""Sums over arrays of other lengths may differ in their last float32 bits; a leak differs by far more."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One thing to be probed.

    `known_at(series, at)` gives, for values that look forward by design (labels), the candle whose close settles each
    of them; such a row is compared only where that candle lies before the cut. None: known at its own candle.
    """

    name: str
    compute: Compute
    known_at: Compute | None = None


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """What one probe found. `largest_difference` is None when a value was known on one side only."""

    name: str
    passed: bool
    compared: int
    differing: int
    largest_difference: float | None
    first_place: str


@dataclass(frozen=True, kw_only=True)
class LeakReport:
    """Results of all probes over all cuts."""

    results: tuple[ProbeResult, ...]
    cuts: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing peeked and every probe compared something."""
        return all(result.passed for result in self.results)

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if self.passed:
            return f"No peeking found: {len(self.results)} probes at {len(self.cuts)} cuts agree."
        guilty = ", ".join(result.name for result in self.results if result.differing)
        if guilty:
            return f"PEEKING: {guilty} changed when the future was taken away."
        empty = ", ".join(result.name for result in self.results if not result.compared)
        return f"Nothing could be compared for {empty}: the history is too short for the cuts."

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "passed": self.passed,
            "sentence": self.sentence,
            "cuts": list(self.cuts),
            "results": [asdict(result) for result in self.results],
        }


def choose_cuts(n_candles: int, first: int, count: int, seed: int) -> NDArray[np.int64]:
    """`count` lengths of cut history between `first` and `n_candles - 1`: spread evenly, jittered by the seed.

    Jitter keeps the cuts from falling on the same hour of the day each time, where a leak might hide.
    """
    if n_candles - 1 <= first:
        raise NotEnoughData(
            f"The leak probe needs more than {first + 1} candles to cut, was given {n_candles}.",
            remedy="Bring a longer history.",
        )
    edges = np.linspace(first, n_candles - 1, count + 1)
    offsets = np.random.default_rng(seed).random(count)
    return np.unique((edges[:-1] + offsets * np.diff(edges)).astype(np.int64))


def run_probes(
    series: CandleSeries, probes: Sequence[Probe], cuts: NDArray[np.int64], *, rows: int = 32, first: int = 0
) -> LeakReport:
    """Run every probe at every cut.

    Args:
        series: the whole history.
        probes: what to compute.
        cuts: lengths of the cut histories, int64 of shape (n_cuts,).
        rows: how many candles before each cut are compared.
        first: earliest candle to compare (a full window must fit before it).
    """
    return LeakReport(
        results=tuple(_run_probe(series, probe, cuts, rows, first) for probe in probes),
        cuts=tuple(utc(int(series.close_time_ms[cut - 1])) for cut in cuts),
    )


def _run_probe(series: CandleSeries, probe: Probe, cuts: NDArray[np.int64], rows: int, first: int) -> ProbeResult:
    compared = differing = 0
    largest: float | None = 0.0
    place = ""
    for cut in (int(cut) for cut in cuts):
        at = np.arange(max(first, cut - rows), cut, dtype=np.int64)
        if probe.known_at is not None:
            at = at[np.asarray(probe.known_at(series, at)) < cut]
        if not at.size:
            continue
        whole, short = np.asarray(probe.compute(series, at)), np.asarray(probe.compute(series.head(cut), at))
        bad, difference = _differences(whole, short)
        compared += len(at)
        differing += int(bad.sum())
        if bad.any():
            largest = None if largest is None or difference is None else max(largest, difference)
            place = place or utc(int(series.close_time_ms[at[int(np.flatnonzero(bad)[0])]]))
    return ProbeResult(
        name=probe.name,
        passed=differing == 0 and compared > 0,
        compared=compared,
        differing=differing,
        largest_difference=largest,
        first_place=place,
    )


def _differences(whole: NDArray[Any], short: NDArray[Any]) -> tuple[NDArray[np.bool_], float | None]:
    """Which rows differ, and by how much at most (None when one side is unknown)."""
    if whole.shape != short.shape:
        return np.ones(len(whole), dtype=bool), None
    a, b = whole.astype(np.float64).reshape(len(whole), -1), short.astype(np.float64).reshape(len(short), -1)
    close = np.isclose(a, b, rtol=RELATIVE_TOLERANCE, atol=RELATIVE_TOLERANCE, equal_nan=True)
    bad: NDArray[np.bool_] = np.logical_not(close.all(axis=1))
    if not bad.any():
        return bad, 0.0
    gap = np.abs(a - b)[bad]
    return bad, None if np.isnan(gap).any() else float(gap.max())
