"""How good scores and alarms are when the truth is known. Nothing here rewrites predictions (no point adjustment)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.domain.errors import DataError
from triptych.training.anomaly.affiliation import affiliation_f1
from triptych.training.anomaly.events import LEAD, Event, events_in, finding
from triptych.training.anomaly.pieces import Pieces, whole


@dataclass(frozen=True, kw_only=True, slots=True)
class AnomalyMetrics:
    """Figures of scores and alarms, of the rows that have a score.

    Attributes:
        auc_roc: chance that an anomalous row scores above a normal one, ties half.
        vus_pr: volume under the precision-recall surface over buffers (Paparrizos et al. 2022).
        affiliation_f1: of affiliation precision and recall of the alarms (Huet et al. 2022).
        recall: share of events with an alarm between their first row and `slack` rows after their last.
        delay: median rows from an event's start to its first alarm, of those found by an alarm that had not been
            running; NaN when there is none.
        alarms_per_day: alarms in normal rows, as runs of rows, per day.
        alarm_share: share of the normal rows that alarm. An alarm that never ends is one run, and all of this.
        events: how many were judged.
        running: of those found, events that began while an alarm had been running for more than `lead` rows. Overlap
            counts as found, as in event-wise recall, but something else raised that alarm: they have no delay, as in
            quickest detection, whose delay is that of alarms which did not come before the change (Pollak 1985).
        rows_left_out, events_left_out: rows without a score, and events none of whose rows has one.
    """

    auc_roc: float
    vus_pr: float
    affiliation_f1: float
    recall: float
    delay: float
    alarms_per_day: float
    alarm_share: float
    events: int
    running: int
    rows_left_out: int
    events_left_out: int


def judge(
    labels: NDArray[np.integer],
    scores: NDArray[np.float64],
    alarms: NDArray[np.bool_],
    *,
    pieces: Pieces | None = None,
    buffer: int = 100,
    slack: int = 0,
    lead: int = LEAD,
    rows_per_day: float = 96.0,
) -> AnomalyMetrics:
    """All metrics of rows whose truth is known.

    Args:
        labels: 0 or 1, (n_rows,).
        scores: the higher, the more abnormal, (n_rows,).
        alarms: decisions by a threshold that has not seen these rows' labels, (n_rows,).
        pieces: which rows have a score, and the parts that events, slopes, zones, delays and runs of alarms do not
            leave; None: all rows have one, and are one part.
        buffer: longest buffer of `vus_pr` in rows. Fixed, not taken from the labels: figures of different series are
            comparable when it is the same.
        slack: rows after an event's end in which an alarm still finds it.
        lead: rows that a run of alarms may begin before an event without having been running.
        rows_per_day: rows of a day.

    Raises DataError when the rows with a score hold no anomaly, or nothing else, or a score is not a number.
    """
    truth = np.asarray(labels) > 0
    pieces = pieces or whole(len(truth))
    known = pieces.known
    _refuse_one_kind(truth, known)
    if not np.isfinite(scores[known]).all():
        raise DataError(f"{int((~np.isfinite(scores[known])).sum())} scores are not numbers.")
    alarms = np.asarray(alarms) & known
    events, left_out = events_in(pieces, pieces.runs(truth))
    found = [finding(event, alarms, known, until=event.stop + slack, lead=lead) for event in events]
    delays = [
        one.row - event.start
        for one, event in zip(found, events, strict=True)
        if one.row is not None and not one.running
    ]
    return AnomalyMetrics(
        auc_roc=auc_roc(truth[known], scores[known]),
        vus_pr=vus_pr(truth, scores, buffer=buffer, pieces=pieces),
        affiliation_f1=affiliation_f1(truth, alarms, pieces),
        recall=sum(one.row is not None for one in found) / len(events),
        delay=float(np.median(delays)) if delays else float("nan"),
        alarms_per_day=len(pieces.runs(alarms & ~truth)) / ((known & ~truth).sum() / rows_per_day),
        alarm_share=float(alarms[known & ~truth].mean()),
        events=len(events),
        running=sum(one.running for one in found),
        rows_left_out=int((~known).sum()),
        events_left_out=left_out,
    )


def _refuse_one_kind(truth: NDArray[np.bool_], known: NDArray[np.bool_]) -> None:
    if not (truth.any() and (~truth).any()):
        raise DataError("Metrics need rows of both kinds: anomalous and normal.", remedy="Check the column of labels.")
    for rows, kind in ((truth, "anomalous"), (~truth, "normal")):
        if not (rows & known).any():
            raise DataError(
                f"None of the {int(rows.sum())} {kind} rows has a score, so nothing can be judged.",
                remedy="Bring the rows before them too: the first ones of each unbroken stretch warm the detector up.",
            )


def auc_roc(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Area under the receiver operating characteristic."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, scores))


def vus_pr(
    truth: NDArray[np.bool_],
    scores: NDArray[np.float64],
    *,
    buffer: int,
    steps: int = 11,
    pieces: Pieces | None = None,
) -> float:
    """Mean range-AUC-PR over buffers of 0 .. `buffer` rows (Paparrizos et al. 2022, "Volume Under the Surface", VLDB).

    A buffer of l rows lets labels fall off as sqrt(1 - distance / l) over l / 2 rows on both sides of an event, so that
    an alarm a little early or late counts in part. Recall is multiplied by the share of events that are touched. Of the
    surface `steps` buffers are computed, evenly spread. Slopes end where a part of `pieces` does, and only its known
    rows are ranked; events without one are none. None: all rows are known, and one part.
    """
    pieces = pieces or whole(len(truth))
    lengths = np.unique(np.linspace(0, buffer, steps).astype(int))
    rows = np.flatnonzero(pieces.known)
    order = rows[np.argsort(-scores[rows], kind="stable")]
    ranked = scores[order]
    last_of_ties = np.flatnonzero(np.concatenate((ranked[1:] != ranked[:-1], [True])))
    events, _ = events_in(pieces, pieces.runs(truth))
    slices = [_range_auc_pr(truth, events, order, last_of_ties, int(length)) for length in lengths]
    return float(np.mean(slices))


def _range_auc_pr(
    truth: NDArray[np.bool_], events: list[Event], order: NDArray[np.int64], last: NDArray[np.int64], length: int
) -> float:
    """One slice of the surface; `order` holds the known rows from the highest score down."""
    soft = truth.astype(np.float64)
    reach = length // 2
    ranks = np.full(len(truth), len(truth), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    touched = []
    for event in events:
        begin, end = max(event.start - reach, event.low), min(event.stop + reach, event.high)
        rows = np.arange(begin, end)
        distance = np.maximum(np.maximum(event.start - rows, rows - event.stop + 1), 0)
        if length:
            soft[begin:end] = np.maximum(soft[begin:end], np.sqrt(1.0 - distance / length))
        touched.append(int(ranks[begin:end].min()))
    caught = np.cumsum(soft[order])[last]
    predicted = last + 1.0
    found = np.searchsorted(np.sort(touched), last, side="right") / len(events)
    positives = (truth[order].sum() + caught[-1]) / 2.0
    recall = np.minimum(caught / positives, 1.0) * found
    precision = caught / predicted
    steps = np.diff(np.concatenate(([0.0], recall)))
    return float((steps * precision).sum())
