"""How well each type of event is found: its own rows and events against the normal rows, other types left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from triptych.training.anomaly.events import LEAD, events_in, finding
from triptych.training.anomaly.metrics import auc_roc, vus_pr
from triptych.training.anomaly.pieces import Pieces, whole

WITHIN = 8
"""Rows after an event's first one in which an alarm still comes in time: two hours of candles of 15 minutes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeFigures:
    """Figures of one type of event; all but the counts are NaN when none of its events has a row with a score.

    Attributes:
        events: how many were judged.
        auc_roc: chance that one of their rows scores above a normal row, ties half.
        vus_pr: volume under the precision-recall surface over buffers, where rows of other types do not count. It
            grows with the number of rows of a type: compare detectors by it, not types.
        recall: share of events with an alarm in any of their rows.
        recall_within: share of events with an alarm in their first row or the `within` rows after it, be they of the
            event or behind its end.
        delay: median rows from an event's first row to its first alarm, of the events with an alarm in their rows
            or in time that had not been running; NaN when there is none.
        running: events that began while an alarm had been running for long, see `AnomalyMetrics`.
        events_left_out: events none of whose rows has a score.
    """

    events: int
    auc_roc: float
    vus_pr: float
    recall: float
    recall_within: float
    delay: float
    running: int
    events_left_out: int


def by_type(
    events: Sequence[tuple[str, int, int]],
    scores: NDArray[np.float64],
    alarms: NDArray[np.bool_],
    normal: NDArray[np.bool_],
    *,
    within: int = WITHIN,
    buffer: int = 100,
    lead: int = LEAD,
    pieces: Pieces | None = None,
) -> dict[str, TypeFigures]:
    """Figures of each type, in the order of their first events.

    Args:
        events: type, first and last + 1 row of each event; events may overlap.
        scores: the higher, the more abnormal, finite, (n_rows,).
        alarms: decisions by a threshold that has not seen these rows' labels, (n_rows,).
        normal: rows that no event touches, at least one, (n_rows,).
        within: see `TypeFigures.recall_within`.
        buffer, lead, pieces: see `judge`.
    """
    pieces = pieces or whole(len(scores))
    alarms = np.asarray(alarms) & pieces.known
    found: dict[str, TypeFigures] = {}
    for kind in dict.fromkeys(kind for kind, _, _ in events):
        wanted = [(start, stop) for name, start, stop in events if name == kind]
        own, left_out = events_in(pieces, wanted)
        if not own:
            nothing = float("nan")
            found[kind] = TypeFigures(
                events=0, auc_roc=nothing, vus_pr=nothing, recall=nothing, recall_within=nothing, delay=nothing,
                running=0, events_left_out=left_out,
            )  # fmt: skip
            continue
        rows = np.zeros(len(scores), dtype=bool)
        for start, stop in wanted:
            rows[start:stop] = True
        chosen = (rows | normal) & pieces.known
        at = [finding(one, alarms, pieces.known, until=max(one.stop, one.start + within + 1), lead=lead) for one in own]
        paired = list(zip(at, own, strict=True))
        found[kind] = TypeFigures(
            events=len(own),
            auc_roc=auc_roc(rows[chosen], scores[chosen]),
            vus_pr=vus_pr(rows, scores, buffer=buffer, pieces=replace(pieces, known=chosen)),
            recall=float(np.mean([alarms[one.start : one.stop].any() for one in own])),
            recall_within=sum(a.row is not None and a.row - one.start <= within for a, one in paired) / len(own),
            delay=_median([a.row - one.start for a, one in paired if a.row is not None and not a.running]),
            running=sum(a.running for a in at),
            events_left_out=left_out,
        )
    return found


def _median(values: Sequence[int]) -> float:
    return float(np.median(values)) if values else float("nan")
