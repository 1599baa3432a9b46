"""Rows without a pause: events, and alarms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def runs(rows: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last + 1 of each run of true rows."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(rows).astype(np.int8), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def first_alarm(alarms: NDArray[np.bool_], start: int, stop: int) -> int | None:
    """The first row with an alarm from `start` to `stop` - 1, or None."""
    found = np.flatnonzero(alarms[start:stop])
    return start + int(found[0]) if found.size else None
