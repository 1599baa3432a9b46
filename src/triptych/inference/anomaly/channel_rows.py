"""Rows of market channels that may be unknown: what of them a detector reads, the same in a history and at its end."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.table import fill


def bridge_of(detector: AbstractDetector, extras: Collection[str]) -> int:
    """Unknown rows in a run that are bridged; 0 where the detector refuses bad rows, or candles are all it reads."""
    return detector.config.bridge if extras and detector.config.bad_rows == "mask" else 0


def bridged(
    values: NDArray[np.float64], detector: AbstractDetector, extras: Collection[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Rows with unknown ones replaced, and whether each row ends a window that can be read.

    A row is known as the detector's policy for bad rows has it: in short runs the row before stands in for it within a
    window, in longer ones the window is not read. A row that is unknown itself ends none.

    Returns float64 (n_rows, channels), finite, and bool (n_rows,).
    """
    bad = np.asarray(~np.isfinite(values).all(axis=1))
    if not bad.any():
        return values, np.arange(len(values)) >= detector.memory - 1
    filled, usable = fill(values, bad, np.zeros(len(values), dtype=bool), bridge_of(detector, extras))
    holes = np.concatenate(([0], np.cumsum(~usable)))
    known = np.zeros(len(values), dtype=bool)
    known[detector.memory - 1 :] = holes[detector.memory :] == holes[: len(holes) - detector.memory]
    return filled, known & ~bad
