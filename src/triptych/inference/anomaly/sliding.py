"""Windows that slide over the rows of one unbroken stretch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CHUNK = 1024
"""Windows assessed at a time."""


def sliding(stretch: NDArray[np.float32], memory: int) -> list[tuple[int, NDArray[np.float32]]]:
    """All windows in chunks: the row in which the first of the chunk ends, and windows (n, memory, channels)."""
    if len(stretch) < memory:
        return []
    view = np.lib.stride_tricks.sliding_window_view(stretch, memory, axis=0).transpose(0, 2, 1)
    return [(memory - 1 + begin, view[begin : begin + CHUNK]) for begin in range(0, len(view), CHUNK)]
