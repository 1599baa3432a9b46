"""How a kernel takes a series out of a batch, as a compiled loop that other kernels call."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from triptych.images._cpu import kernel

Array = NDArray[Any]


@kernel
def take_series(rows: Array, columns: Array, n: int, values: Array) -> None:
    """Fill `values` with series n of a batch: of window n // len(columns), the column whose turn it is.

    Args:
        rows: shape (batch, time, any); `rows_and_columns` gives these two.
        columns: in `rows`, of the series of each window.
        n: among all series of the batch.
        values: shape (time,).
    """
    window, column = n // len(columns), columns[n % len(columns)]
    for t in range(len(values)):
        values[t] = rows[window, t, column]
