"""Affiliation precision and recall: how near alarms and events are, against chance (Huet, Navarro & Rossi 2022, KDD).

The series is cut into the zones nearest to each event. In its zone, a distance is turned into the probability that a
random position of the zone would be farther away. Row i is the interval from i to i + 1 and everything is integrated
exactly, as the authors do: borders of zones may lie in the middle of a row.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from triptych.training.anomaly.events import events_in
from triptych.training.anomaly.pieces import Pieces, whole
from triptych.training.anomaly.runs import runs

Intervals = NDArray[np.float64]


def affiliation_f1(truth: NDArray[np.bool_], alarms: NDArray[np.bool_], pieces: Pieces | None = None) -> float:
    """Harmonic mean of `affiliation`'s two figures; 0 without alarms, where precision does not exist."""
    precision, recall = affiliation(truth, alarms, pieces)
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def affiliation(
    truth: NDArray[np.bool_], alarms: NDArray[np.bool_], pieces: Pieces | None = None
) -> tuple[float, float]:
    """Precision, the mean over zones that hold alarms (NaN when none does), and recall, the mean over all zones.

    Args:
        truth: anomalous rows, (n_rows,), at least one.
        alarms: rows that are called anomalous, (n_rows,).
        pieces: parts that zones do not leave; None: all rows are one. Zones end with the first and the last row of a
            part that has a score. A part without an event has no zone: its alarms do not count here.
    """
    pieces = pieces or whole(len(truth))
    precisions: list[float] = []
    recalls: list[float] = []
    for low, high in pieces.judged():
        known = pieces.known[low:high]
        events, _ = events_in(Pieces(known=known), runs(truth[low:high]))
        own = [(float(event.start), float(event.stop)) for event in events]
        if not own:
            continue
        borders = [0.0, *((one[1] + next_one[0]) / 2 for one, next_one in pairwise(own)), float(high - low)]
        told = np.array(runs(alarms[low:high] & known), dtype=np.float64).reshape(-1, 2)
        for event, zone in zip(own, pairwise(borders), strict=True):
            inside = np.clip(told, *zone)
            inside = inside[inside[:, 1] > inside[:, 0]]
            if len(inside):
                precisions.append(_precision(event, zone, inside))
            recalls.append(_recall(event, zone, inside) if len(inside) else 0.0)
    return float(np.mean(precisions)) if precisions else float("nan"), float(np.mean(recalls))


def _precision(event: tuple[float, float], zone: tuple[float, float], alarms: Intervals) -> float:
    """Mean over the alarms of the share of the zone that is farther from the event.

    Outside the event, at distance d, all of the event is nearer, and d rows on both sides of it where the zone reaches
    so far.
    """
    (start, stop), (low, high) = event, zone
    shorter = min(start - low, high - stop)
    length = float(np.diff(alarms).sum())
    before = np.clip(start - alarms[:, ::-1], 0.0, None)  # the nearest and the farthest distance of each alarm
    after = np.clip(alarms - stop, 0.0, None)
    outside, nearer = 0.0, 0.0
    for near, far in np.concatenate([before, after]):
        outside += far - near
        both = min(far, shorter) ** 2 / 2 - min(near, shorter) ** 2 / 2
        nearer += both + shorter * (max(far, shorter) - max(near, shorter)) + (far**2 - near**2) / 2
    nearer += (stop - start) * outside
    return 1.0 - nearer / (high - low) / length


def _recall(event: tuple[float, float], zone: tuple[float, float], alarms: Intervals) -> float:
    """Mean over the positions of an event of the share of the zone that is farther from it than the nearest alarm.

    That share is linear between the positions where an alarm begins or ends, another alarm becomes the nearest, or as
    much of the zone is left on one side as the alarm is away; so trapezoids are exact.
    """
    (start, stop), (low, high) = event, zone
    edges = alarms.ravel()
    kinks = [edges, (edges[1:-1:2] + edges[2::2]) / 2, (low + edges) / 2, (edges + high) / 2, [(low + high) / 2]]
    at = np.unique(np.clip(np.concatenate([*kinks, [start, stop]]), start, stop))
    behind = np.searchsorted(alarms[:, 0], at, side="right")  # alarms that begin at or before a position
    last, following = np.maximum(behind - 1, 0), np.minimum(behind, len(alarms) - 1)
    to_last = np.where(behind > 0, np.maximum(at - alarms[last, 1], 0.0), np.inf)
    to_following = np.where(behind < len(alarms), alarms[following, 0] - at, np.inf)
    distance = np.minimum(to_last, to_following)
    farther = 1.0 - (distance + np.minimum(distance, np.minimum(at - low, high - at))) / (high - low)
    return float(np.trapezoid(farther, at)) / (stop - start)
