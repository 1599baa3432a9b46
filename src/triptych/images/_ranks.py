"""Ranks of the values of a series, as a compiled loop that other kernels call."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.images._ahead import LINE_BYTES, MOST_BYTES, fetch
from triptych.images._cpu import kernel


@kernel
def rank_values(values: NDArray[Any], ranks: NDArray[np.uint32], coming: NDArray[Any]) -> None:
    """Set ranks[t] to the count of values that are smaller than values[t]; equal values share a rank.

    Every value is compared with every other, whole vectors at a time and four values a pass: up to about a thousand
    that beats sorting. Meanwhile `coming` is fetched, memory of one dimension that will be written next.
    """
    last = len(values) - 1
    line = LINE_BYTES // coming.itemsize
    end = min(len(coming), MOST_BYTES // coming.itemsize)
    share = -(-end // (line * (last // 4 + 1))) * line
    for t in range(0, len(values), 4):
        for place in range(t // 4 * share, min((t // 4 + 1) * share, end), line):
            fetch(coming, place)
        places = t, min(t + 1, last), min(t + 2, last), min(t + 3, last)
        a, b, c, d = values[places[0]], values[places[1]], values[places[2]], values[places[3]]
        below_a, below_b, below_c, below_d = np.uint32(0), np.uint32(0), np.uint32(0), np.uint32(0)
        for i in range(len(values)):
            below_a = np.uint32(below_a + np.uint32(values[i] < a))
            below_b = np.uint32(below_b + np.uint32(values[i] < b))
            below_c = np.uint32(below_c + np.uint32(values[i] < c))
            below_d = np.uint32(below_d + np.uint32(values[i] < d))
        ranks[places[0]], ranks[places[1]], ranks[places[2]], ranks[places[3]] = below_a, below_b, below_c, below_d
