"""Ranks of the values of a series, as a compiled loop that other kernels call."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.images._ahead import LINE_BYTES, MOST_BYTES, fetch
from triptych.images._cpu import kernel

TOGETHER = 8
"""Values that all others are compared with in a pass."""


@kernel
def rank_values(values: NDArray[Any], ranks: NDArray[np.uint32], coming: NDArray[Any]) -> None:
    """Set ranks[t] to the count of values that are smaller than values[t]; equal values share a rank.

    Every value is compared with every other, whole vectors at a time and some values a pass: up to about a thousand
    that beats sorting. Meanwhile `coming` is fetched, memory of one dimension that will be written next.
    """
    passes = max(len(values) // TOGETHER, 1)
    line = LINE_BYTES // coming.itemsize
    end = min(len(coming), MOST_BYTES // coming.itemsize)
    share = -(-end // (line * passes)) * line
    ranks[:] = 0
    for t in range(0, len(values) - TOGETHER + 1, TOGETHER):
        for place in range(t // TOGETHER * share, min((t // TOGETHER + 1) * share, end), line):
            fetch(coming, place)
        a, b, c, d = values[t], values[t + 1], values[t + 2], values[t + 3]
        e, f, g, h = values[t + 4], values[t + 5], values[t + 6], values[t + 7]
        for i in range(len(values)):
            x = values[i]
            below = np.uint32(a < x) + np.uint32(b < x) + np.uint32(c < x) + np.uint32(d < x)
            below += np.uint32(e < x) + np.uint32(f < x) + np.uint32(g < x) + np.uint32(h < x)
            ranks[i] = np.uint32(ranks[i] + below)
    for t in range(len(values) // TOGETHER * TOGETHER, len(values)):
        one = values[t]
        for i in range(len(values)):
            ranks[i] = np.uint32(ranks[i] + np.uint32(one < values[i]))
