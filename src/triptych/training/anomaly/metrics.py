"""How good scores and alarms are when the truth is known. Nothing here rewrites predictions (no point adjustment)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.domain.errors import DataError
from triptych.training.anomaly.affiliation import affiliation_f1
from triptych.training.anomaly.runs import first_alarm, runs


@dataclass(frozen=True, kw_only=True, slots=True)
class AnomalyMetrics:
    """Figures of one series of scores.

    Attributes:
        auc_roc: chance that an anomalous row scores above a normal one, ties half.
        vus_pr: volume under the precision-recall surface over buffers (Paparrizos et al. 2022).
        affiliation_f1: of affiliation precision and recall of the alarms (Huet et al. 2022).
        recall: share of events with an alarm between their first row and `slack` rows after their last.
        delay: median rows from an event's start to its first alarm, of those found; NaN when none was.
        alarms_per_day: alarms in normal rows, as runs of rows, per day.
    """

    auc_roc: float
    vus_pr: float
    affiliation_f1: float
    recall: float
    delay: float
    alarms_per_day: float


def judge(
    labels: NDArray[np.integer],
    scores: NDArray[np.float64],
    alarms: NDArray[np.bool_],
    *,
    buffer: int = 100,
    slack: int = 0,
    rows_per_day: float = 96.0,
) -> AnomalyMetrics:
    """All metrics of rows whose truth is known.

    Args:
        labels: 0 or 1, (n_rows,).
        scores: the higher, the more abnormal, (n_rows,).
        alarms: decisions by a threshold that has not seen these rows' labels, (n_rows,).
        buffer: longest buffer of `vus_pr` in rows. Fixed, not taken from the labels: figures of different series are
            comparable when it is the same.
        slack: rows after an event's end in which an alarm still finds it.
        rows_per_day: rows of a day.

    Raises DataError when there is no anomaly, or nothing else, or a score is not a number.
    """
    truth = np.asarray(labels) > 0
    if not (truth.any() and (~truth).any()):
        raise DataError("Metrics need rows of both kinds: anomalous and normal.", remedy="Check the column of labels.")
    if not np.isfinite(scores).all():
        raise DataError(f"{int((~np.isfinite(scores)).sum())} scores are not numbers.")
    events = runs(truth)
    first = [first_alarm(alarms, start, stop + slack) for start, stop in events]
    delays = [at - start for at, (start, _) in zip(first, events, strict=True) if at is not None]
    false = runs(np.asarray(alarms) & ~truth)
    return AnomalyMetrics(
        auc_roc=auc_roc(truth, scores),
        vus_pr=vus_pr(truth, scores, buffer=buffer),
        affiliation_f1=affiliation_f1(truth, np.asarray(alarms)),
        recall=len(delays) / len(events),
        delay=float(np.median(delays)) if delays else float("nan"),
        alarms_per_day=len(false) / ((~truth).sum() / rows_per_day),
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
    counted: NDArray[np.bool_] | None = None,
) -> float:
    """Mean range-AUC-PR over buffers of 0 .. `buffer` rows (Paparrizos et al. 2022, "Volume Under the Surface", VLDB).

    A buffer of l rows lets labels fall off as sqrt(1 - distance / l) over l / 2 rows on both sides of an event, so that
    an alarm a little early or late counts in part. Recall is multiplied by the share of events that are touched. Of the
    surface `steps` buffers are computed, evenly spread. Rows that are not `counted` keep their place in time and
    are otherwise as if they had never been; None counts all.
    """
    lengths = np.unique(np.linspace(0, buffer, steps).astype(int))
    rows = np.arange(len(truth)) if counted is None else np.flatnonzero(counted)
    order = rows[np.argsort(-scores[rows], kind="stable")]
    ranked = scores[order]
    last_of_ties = np.flatnonzero(np.concatenate((ranked[1:] != ranked[:-1], [True])))
    return float(np.mean([_range_auc_pr(truth, order, last_of_ties, int(length)) for length in lengths]))


def _range_auc_pr(truth: NDArray[np.bool_], order: NDArray[np.int64], last: NDArray[np.int64], length: int) -> float:
    """One slice of the surface; `order` holds the counted rows from the highest score down."""
    events = runs(truth)
    soft = truth.astype(np.float64)
    reach = length // 2
    for start, stop in events:
        begin, end = max(start - reach, 0), min(stop + reach, len(truth))
        rows = np.arange(begin, end)
        distance = np.maximum(np.maximum(start - rows, rows - stop + 1), 0)
        if length:
            soft[begin:end] = np.maximum(soft[begin:end], np.sqrt(1.0 - distance / length))
    caught = np.cumsum(soft[order])[last]
    predicted = last + 1.0
    ranks = np.full(len(truth), len(truth), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    touched = [int(ranks[max(s - reach, 0) : min(e + reach, len(truth))].min()) for s, e in events]
    found = np.searchsorted(np.sort(touched), last, side="right") / len(events)
    positives = (truth[order].sum() + caught[-1]) / 2.0
    recall = np.minimum(caught / positives, 1.0) * found
    precision = caught / predicted
    steps = np.diff(np.concatenate(([0.0], recall)))
    return float((steps * precision).sum())
