"""The single looks of the quality report. Each takes arrays of one symbol and says where something is wrong.

`times` is int64 (n,), UTC ms, strictly rising; `values` is float64 (n, 5): open, high, low, close, volume.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLOSE, HIGH, LOW, OPEN

_NORMAL: Final = 1.4826  # median absolute deviation of a normal law, times this, is its standard deviation


def robust_scale(returns: NDArray[np.float64]) -> float:
    """Standard deviation of the bulk of the returns: 1.4826 median absolute deviations from the median.

    Where more than half of the returns are equal it is 1.2533 times the mean absolute deviation; 0 for no movement at
    all.
    """
    if not returns.size:
        return 0.0
    deviations = np.abs(returns - np.median(returns))
    scale = _NORMAL * float(np.median(deviations))
    return scale if scale > 0 else 1.2533 * float(deviations.mean())


def find_outliers(close: NDArray[np.float64], threshold: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Candles whose log return lies over `threshold` robust deviations from the median, and all robust z (n - 1,)."""
    returns = np.diff(np.log(close))
    scale = robust_scale(returns)
    if scale == 0:
        return np.empty(0, dtype=np.int64), np.zeros_like(returns)
    z = (returns - np.median(returns)) / scale
    return np.flatnonzero(np.abs(z) > threshold) + 1, z


def find_spikes(
    close: NDArray[np.float64], z: NDArray[np.float64], *, threshold: float, longest: int
) -> list[tuple[int, int]]:
    """False prices: a jump of more than `threshold` robust deviations that is undone within `longest` candles.

    Undone means that an opposite jump, at least a third as extreme, leaves less than a quarter of the first one:
    between them a false price may drift. Returns first and last candle of each stretch, in order and without overlap.
    """
    returns = np.diff(np.log(close))
    backs = np.flatnonzero(np.abs(z) > threshold / 3)
    spikes: list[tuple[int, int]] = []
    free_from = 0
    for jump in np.flatnonzero(np.abs(z) > threshold):
        if jump < free_from:
            continue
        near = backs[(backs > jump) & (backs <= jump + longest)]
        left = np.abs(np.log(close[near + 1] / close[jump]))
        undone = near[(returns[near] * returns[jump] < 0) & (left < 0.25 * abs(returns[jump]))]
        if undone.size:
            spikes.append((int(jump) + 1, int(undone[0])))
            free_from = int(undone[0]) + 1
    return spikes


def find_wicks(values: NDArray[np.float64], close_scale: float, threshold: float) -> NDArray[np.int64]:
    """Candles whose high or low lies more than `threshold` robust deviations of the returns beyond open and close."""
    if close_scale == 0:
        return np.empty(0, dtype=np.int64)
    body_high = np.maximum(values[:, OPEN], values[:, CLOSE])
    body_low = np.minimum(values[:, OPEN], values[:, CLOSE])
    wick = np.maximum(np.log(values[:, HIGH] / body_high), np.log(body_low / values[:, LOW]))
    return np.flatnonzero(wick > threshold * close_scale)


def find_stale_runs(values: NDArray[np.float64], shortest: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Runs of at least `shortest` candles with the same open, high, low and close: first candle and length of each."""
    same = (values[1:, :4] == values[:-1, :4]).all(axis=1)
    edges = np.flatnonzero(np.diff(np.r_[False, same, False].astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    lengths = stops - starts + 1
    long = lengths >= shortest
    return starts[long], lengths[long]
