"""The factor grid by a compiled loop: a pixel is one value of the window, at the place of its row plus that of its
column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.images._cpu import kernel

Array = NDArray[Any]


@kernel
def draw_grids(
    first: int, end: int, window: Array, image: Array, of_row: Array, of_column: Array, run: int, factors: int,
    clip: float,
) -> None:  # fmt: skip
    """Draw windows first .. end - 1.

    Args:
        first, end: share of the batch.
        window: array of shape (batch, rows * columns): one window a row.
        image: array of shape (batch, channels, height, width) to fill.
        of_row, of_column: where in the window the pixels of a row and of a column begin, uint64 of shape (height,) and
            (width,): the compiler need not look for negative ones.
        run: so many columns from each multiple of it on lie one behind the other in the window.
        factors: of a channel.
        clip: scores of -clip are 0, of clip 1.
    """
    real = image.dtype.type
    shift, scale, zero, one = real(clip), real(0.5 / clip), real(0.0), real(1.0)
    channels, height, width = image.shape[1:]
    for b in range(first, end):
        values = window[b]
        for c in range(channels):
            for y in range(height):
                start, line = of_row[y] + np.uint64(c * factors), image[b, c, y]
                if run == 1:
                    for x in range(width):
                        line[x] = min(max((values[start + of_column[x]] + shift) * scale, zero), one)
                    continue
                for left in range(0, width, run):
                    source = int(start + of_column[left])
                    piece, part = values[source : source + run], line[left : left + run]
                    for x in range(run):
                        part[x] = min(max((piece[x] + shift) * scale, zero), one)


def run_of(of_column: NDArray[np.uint64]) -> int:
    """The longest run of columns that divides the width and within which places rise by one."""
    breaks = np.flatnonzero(np.diff(of_column.astype(np.int64)) != 1) + 1
    return int(np.gcd.reduce(np.append(breaks, len(of_column))))
