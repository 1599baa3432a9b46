"""Alarms that the market has switched to another regime, and CUSUM, the baseline that they must beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def switch_alarms(probability: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    """Candles at which a regime other than the present one becomes as probable as `threshold`.

    Args:
        probability: filtered probabilities of shape (n, regimes); rows of NaN are passed over.
        threshold: from 0.5 to 1.

    Returns:
        Positions, rising. The first regime that is known raises no alarm. Each depends on rows up to its own.
    """
    alarms = []
    present = -1
    for t, row in enumerate(probability):
        if not np.isfinite(row).all():
            continue
        likeliest = int(row.argmax())
        if present < 0:
            present = likeliest
        elif likeliest != present and row[likeliest] >= threshold:
            present = likeliest
            alarms.append(t)
    return np.array(alarms, dtype=np.int64)


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
    alarms = []
    above = below = level = 0.0
    learnt = 0
    for t, value in enumerate(x):
        if learnt < memory:
            level += (value - level) / (learnt + 1)
            learnt += 1
            continue
        above = max(0.0, above + value - level - drift)
        below = max(0.0, below - value + level - drift)
        if max(above, below) >= threshold:
            alarms.append(t)
            above = below = level = 0.0
            learnt = 0
    return np.array(alarms, dtype=np.int64)


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
