"""Where a history has a hole that no session explains: no chart pattern may run across it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

MEMORY: Final = 350
"""Candles before a hole among which a like one is looked for."""
LONGEST_SESSION_MS: Final = 5 * 86_400_000
"""No market that keeps sessions is closed for longer, holidays at a weekend included."""


def outages(open_time_ms: NDArray[np.int64], timeframe_ms: int) -> NDArray[np.bool_]:
    """Candles before which time is missing that no session explains, bool of shape (n_candles,).

    Args:
        open_time_ms: open times, rising, UTC milliseconds, int64 of shape (n_candles,).
        timeframe_ms: length of a candle.

    A hole is a session's (a night, a weekend) when one of the last `MEMORY` candles also ended a hole, and both began
    at the same time of day and last no longer than five days. So the first night of a history counts as an outage, and
    so does the first after clocks have changed. It depends on candles up to the hole's end, no others.
    """
    found = np.zeros(len(open_time_ms), dtype=np.bool_)
    steps = np.diff(open_time_ms)
    after = np.flatnonzero(steps > timeframe_ms) + 1
    begins = open_time_ms[after - 1] % 86_400_000
    may_be = steps[after - 1] <= LONGEST_SESSION_MS
    last_at: dict[int, int] = {}
    for hole, begin, is_short in zip(after.tolist(), begins.tolist(), may_be.tolist(), strict=True):
        found[hole] = not is_short or hole - last_at.get(begin, -MEMORY - 1) > MEMORY
        if is_short:
            last_at[begin] = hole
    return found
