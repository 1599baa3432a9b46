"""Alarms that the market has switched to another regime, and CUSUM, the baseline that they must beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triptych.domain.compiling import compiled

NEVER = -1


def switch_alarms(probability: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    """Candles at which another regime than the last sure one becomes as probable as `threshold`.

    Args:
        probability: filtered probabilities of shape (n, regimes); rows of NaN are passed over.
        threshold: from 0.5 to 1.

    Returns:
        Positions, rising. The first sure regime raises no alarm. Each depends on rows up to its own.
    """
    sure = np.flatnonzero(probability.max(axis=1) >= threshold)  # a row of NaN is never sure
    regime = probability[sure].argmax(axis=1)
    found: NDArray[np.int64] = sure[1:][regime[1:] != regime[:-1]].astype(np.int64)
    return found


def departure_alarms(probability: NDArray[np.float64], threshold: float, look: int) -> NDArray[np.int64]:
    """Candles at which the market is any other than it was, as probably as `threshold`, each told from its last rows.

    At each candle the chain begins anew `look` rows before it: the present regime is the likeliest one there, and
    whenever another one than the present is as probable as the threshold, that is an alarm, and the likeliest is the
    present one from then on. The candle has an alarm if the chain ends with one. Unlike `switch_alarms` this needs no
    regime to be sure: two that are alike may share the probability.

    Args:
        probability: filtered probabilities of shape (n, regimes), NaN in the first rows.
        threshold: from 0.5 to 1.
        look: rows before a candle; it has no alarm while fewer are known.

    Returns:
        Positions, rising.
    """
    raised = np.zeros(len(probability), dtype=np.bool_)
    _run_departures(np.ascontiguousarray(probability), 1.0 - threshold, look, raised)
    return np.flatnonzero(raised).astype(np.int64)


@compiled
def _run_departures(probability: NDArray[np.float64], least: float, look: int, raised: NDArray[np.bool_]) -> None:
    for end in range(look, len(probability)):
        if np.isnan(probability[end - look, 0]):
            continue
        # Nothing to look for where the last row is no departure from any regime.
        if probability[end].min() > least:
            continue
        present = np.argmax(probability[end - look])
        alarm = False
        for t in range(end - look + 1, end + 1):
            alarm = probability[t, present] <= least
            if alarm:
                present = np.argmax(probability[t])
        raised[end] = alarm


def since_alarm(alarms: NDArray[np.int64], ends: NDArray[np.int64], within: int) -> NDArray[np.int64]:
    """Candles since the last alarm at each of `ends`, 0 at the alarm; -1 where none of the last `within` had one.

    Args:
        alarms: positions, rising.
        ends: positions of shape (n,).
    """
    last = np.searchsorted(alarms, ends, side="right") - 1
    age = ends - alarms[np.maximum(last, 0)] if len(alarms) else np.full(len(ends), within)
    found: NDArray[np.int64] = np.where((last >= 0) & (age < within), age, NEVER)
    return found


def cusum_alarms(
    x: NDArray[np.float64], threshold: float, *, drift: float = 0.5, memory: int = 50
) -> NDArray[np.int64]:
    """Candles at which the mean of a series has left the level it had after the last alarm: Page 1954, two-sided.

    Args:
        x: float64 of shape (n,), finite, in standard deviations of the training part.
        threshold: sum of departures that raises an alarm.
        drift: departure that is forgiven at each candle, half of the shift that is looked for.
        memory: candles after an alarm whose mean becomes the new level; nothing is summed up while it is learnt.

    Returns:
        Positions, rising. Each depends on values up to its own.
    """
    raised = np.zeros(len(x), dtype=np.bool_)
    _run_cusum(np.ascontiguousarray(x, dtype=np.float64), threshold, drift, memory, raised)
    return np.flatnonzero(raised).astype(np.int64)


@compiled
def _run_cusum(x: NDArray[np.float64], threshold: float, drift: float, memory: int, raised: NDArray[np.bool_]) -> None:
    above = below = level = 0.0
    learnt = 0
    for t in range(len(x)):
        if learnt < memory:
            level += (x[t] - level) / (learnt + 1)
            learnt += 1
            continue
        above = max(0.0, above + x[t] - level - drift)
        below = max(0.0, below - x[t] + level - drift)
        if max(above, below) >= threshold:
            raised[t] = True
            above = below = level = 0.0
            learnt = 0


def distance_alarms(change: NDArray[np.float64], threshold: float, *, apart: int) -> NDArray[np.int64]:
    """Candles at which a window has become as unlike the one before it as `threshold`.

    Args:
        change: float64 of shape (n,), such as the distance of two embeddings; NaN is passed over.
        threshold: least change that raises an alarm.
        apart: candles after an alarm in which none is raised: the same switch is still between the two windows.

    Returns:
        Positions, rising. Each depends on values up to its own.
    """
    alarms: list[int] = []
    for t in np.flatnonzero(change >= threshold).tolist():
        if not alarms or t - alarms[-1] >= apart:
            alarms.append(t)
    return np.array(alarms, dtype=np.int64)
