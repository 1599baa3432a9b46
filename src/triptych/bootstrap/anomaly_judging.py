"""How good scores and alarms of a file are where its labels tell the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.table import Table
from triptych.training.anomaly.by_type import WITHIN, by_type
from triptych.training.anomaly.events import LEAD
from triptych.training.anomaly.metrics import judge
from triptych.training.anomaly.pieces import Pieces

COUNTS: Final = frozenset({"events", "running", "rows_left_out", "events_left_out"})
"""Figures that are numbers of something."""
_TITLES: Final = {
    "events": "events", "auc_roc": "AUC-ROC", "vus_pr": "VUS-PR", "recall": "found", "recall_within": "found within",
    "delay": "median delay, rows", "running": "alarm ran before", "events_left_out": "not judged",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How good scores and alarms are: figures by name, and by type of event where labels name types.

    Figures that do not exist (the delay of events that were not found) are left out. `within` is in rows, see
    `TypeFigures`. `notes` are sentences that belong to the figures: what was left out, and what a day is.
    """

    overall: dict[str, float]
    by_type: dict[str, dict[str, float]]
    within: int
    notes: tuple[str, ...] = ()

    def lines(self) -> dict[str, str]:
        """The figures of all events, for people."""
        titles = {"running": "alarm ran before", "alarm_share": "share of normal rows that alarm"}
        return {
            titles.get(name, name.replace("_", " ")): f"{value:,.0f}" if name in COUNTS else f"{value:.3f}"
            for name, value in self.overall.items()
        }

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Heads and rows of a table of the types; cells of figures that do not exist are "-".

        Events that were left out, or found by an alarm that ran before, have columns where there are any.
        """
        rare = {
            name for name in ("running", "events_left_out") if not any(one.get(name) for one in self.by_type.values())
        }
        titles = {name: title for name, title in _TITLES.items() if name not in rare}
        titles["recall_within"] = f"found within {self.within} rows"
        digits = dict.fromkeys(COUNTS, 0) | {"delay": 1}
        rows = [
            [kind, *(f"{one[name]:.{digits.get(name, 3)}f}" if name in one else "-" for name in titles)]
            for kind, one in self.by_type.items()
        ]
        return ["type", *titles.values()], rows


def pieces_of(detector: AbstractDetector, table: Table) -> Pieces:
    """The rows that a detector scores, in parts: entities, and the stretches between breaks of their history."""
    begins = {0, *(start for start, _ in table.of_entities()), *(start for start, _ in table.stretches)}
    return Pieces(known=detector.scored_rows(table), starts=sorted(begins))


def judged(
    labels: NDArray[Any],
    scores: NDArray[np.float64],
    alarms: NDArray[np.bool_],
    pieces: Pieces,
    *,
    day: float,
    within: int = WITHIN,
    notes: Sequence[str] = (),
) -> Judgement:
    """The figures of labelled rows.

    Args:
        labels: kinds of anomalies, empty for normal rows, (n_rows,).
        scores, alarms, pieces: see `judge`.
        day: rows of a day.
        within: see `TypeFigures`.
        notes: sentences that stand before those about the figures.

    Raises what `judge` does.
    """
    truth = labels != ""
    overall = asdict(judge(truth.astype(np.int8), scores, alarms, pieces=pieces, rows_per_day=day))
    kinds = sorted(set(labels[truth].tolist()))
    named = [] if kinds == ["1"] else kinds
    events = [(kind, start, stop) for kind in named for start, stop in pieces.runs(labels == kind)]
    found = by_type(events, scores, alarms, ~truth, within=within, pieces=pieces)
    return Judgement(
        overall=_existing(overall), by_type={kind: _existing(asdict(one)) for kind, one in found.items()},
        within=within, notes=(*notes, *_notes(overall, truth, pieces), f"A day of false alarms has {day:g} rows."),
    )  # fmt: skip


def _notes(overall: Mapping[str, float], truth: NDArray[np.bool_], pieces: Pieces) -> list[str]:
    said = []
    rows, left_out, events = (int(overall[name]) for name in ("rows_left_out", "events_left_out", "events"))
    if rows:
        anomalous = int((truth & ~pieces.known).sum())
        said.append(
            f"{rows:,} of {len(truth):,} rows have no score (the first rows of each unbroken stretch, and bad rows) "
            f"and are left out of all figures; {anomalous:,} of them are anomalous."
        )
    if left_out:
        said.append(
            f"{left_out} of {events + left_out} events lie wholly in rows without a score: they are not judged, and "
            "do not count as missed."
        )
    if running := int(overall["running"]):
        said.append(
            f"{running} of {events} events began while an alarm had been running for more than {LEAD} rows: they "
            "count as found, but have no delay."
        )
    return said


def _existing(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if math.isfinite(value)}
