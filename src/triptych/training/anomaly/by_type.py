"""How well each type of event is found: its own rows and events against the normal rows, other types left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.training.anomaly.metrics import auc_roc, vus_pr
from triptych.training.anomaly.runs import first_alarm

WITHIN = 8
"""Rows after an event's first one in which an alarm still comes in time: two hours of candles of 15 minutes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeFigures:
    """Figures of one type of event.

    Attributes:
        events: how many there are.
        auc_roc: chance that one of their rows scores above a normal row, ties half.
        vus_pr: volume under the precision-recall surface over buffers, where rows of other types do not count. It
            grows with the number of rows of a type: compare detectors by it, not types.
        recall: share of events with an alarm in any of their rows.
        recall_within: share of events with an alarm in their first row or the `within` rows after it, be they of the
            event or behind its end.
        delay: median rows from an event's first row to its first alarm, of the events with an alarm in their rows
            or in time; NaN when there is none.
    """

    events: int
    auc_roc: float
    vus_pr: float
    recall: float
    recall_within: float
    delay: float


def by_type(
    events: Sequence[tuple[str, int, int]],
    scores: NDArray[np.float64],
    alarms: NDArray[np.bool_],
    normal: NDArray[np.bool_],
    *,
    within: int = WITHIN,
    buffer: int = 100,
) -> dict[str, TypeFigures]:
    """Figures of each type, in the order of their first events.

    Args:
        events: type, first and last + 1 row of each event; events may overlap.
        scores: the higher, the more abnormal, finite, (n_rows,).
        alarms: decisions by a threshold that has not seen these rows' labels, (n_rows,).
        normal: rows that no event touches, at least one, (n_rows,).
        within: see `TypeFigures.recall_within`.
        buffer: longest buffer of `vus_pr` in rows, see `judge`.
    """
    found: dict[str, TypeFigures] = {}
    for kind in dict.fromkeys(kind for kind, _, _ in events):
        own = [(start, stop) for name, start, stop in events if name == kind]
        rows = np.zeros(len(scores), dtype=bool)
        for start, stop in own:
            rows[start:stop] = True
        chosen = rows | normal
        at = [first_alarm(alarms, start, max(stop, start + within + 1)) for start, stop in own]
        delays = [first - start for first, (start, _) in zip(at, own, strict=True) if first is not None]
        found[kind] = TypeFigures(
            events=len(own),
            auc_roc=auc_roc(rows[chosen], scores[chosen]),
            vus_pr=vus_pr(rows, scores, buffer=buffer, counted=chosen),
            recall=float(np.mean([alarms[start:stop].any() for start, stop in own])),
            recall_within=sum(delay <= within for delay in delays) / len(own),
            delay=float(np.median(delays)) if delays else float("nan"),
        )
    return found
