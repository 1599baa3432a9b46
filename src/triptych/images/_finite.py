"""Numbers that are none: refused where an encoding takes its window, at a small part of the time of drawing.

A number is not finite when all bits of its exponent are set, so the largest bit pattern without its sign tells of a
whole batch whether all are finite: integers, which the compiler compares by whole vectors. Only when one is not, or a
book has fewer levels than columns, is anything looked at again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from triptych.domain.book import BOOK_FIELDS
from triptych.domain.errors import DataError
from triptych.images._cpu import as_array, has_values, kernel


def are_finite(values: Tensor) -> bool:
    """Whether all values of a float32 or float64 tensor on the CPU are finite."""
    array = as_array(values)
    return bool(_are_finite_single(array) if array.itemsize == 4 else _are_finite_double(array))


def may_miss(columns: tuple[str, ...]) -> NDArray[np.bool_]:
    """Columns in which NaN says that there is no such level of the book, bool of shape (columns,)."""
    return np.array([name.rpartition("_")[0] in BOOK_FIELDS for name in columns], dtype=np.bool_)


def refuse_unless_finite(window_BTF: Tensor, columns: tuple[str, ...]) -> None:
    """Raise DataError that names window, row and column of the first value that is not finite.

    NaN in a column of an order book is a level that is not there.
    """
    if are_finite(window_BTF):
        return
    values = window_BTF.detach().numpy()
    wrong = ~np.isfinite(values) & ~(np.isnan(values) & may_miss(columns))
    if not wrong.any():
        return
    window, row, column = (int(i) for i in np.argwhere(wrong)[0])
    raise DataError(
        f"Window {window} of the batch, row {row} of {values.shape[1]}: {columns[column]} is "
        f"{values[window, row, column]}.",
        remedy="Leave out windows that hold unknown values, or fill the gap before they are cut.",
    )


def refuse_negative_sizes(window_BTF: Tensor, columns: tuple[str, ...]) -> None:
    """Raise DataError that names window, row and column of the first size of a book that is below zero.

    Looked at where the values are at hand: on the CPU, and not while a graph is made.
    """
    if not has_values(window_BTF):
        return
    values = window_BTF.detach().numpy()
    sizes = np.array([name.rpartition("_")[0].endswith("size") for name in columns])
    if not (values < 0).any():
        return
    wrong = (values < 0) & sizes
    if not wrong.any():
        return
    window, row, column = (int(i) for i in np.argwhere(wrong)[0])
    raise DataError(
        f"Window {window} of the batch, row {row} of {values.shape[1]}: {columns[column]} is "
        f"{values[window, row, column]}, and nothing less than nothing can rest in a book.",
        remedy="Give 0 or NaN for a level that is not there.",
    )


@kernel
def _are_finite_single(values: NDArray[Any]) -> bool:
    bits, largest = values.reshape(-1).view(np.int32), np.int32(0)
    for i in range(len(bits)):
        largest = max(largest, bits[i] & np.int32(0x7FFF_FFFF))
    return bool(largest < np.int32(0x7F80_0000))


@kernel
def _are_finite_double(values: NDArray[Any]) -> bool:
    bits, largest = values.reshape(-1).view(np.int64), np.int64(0)
    for i in range(len(bits)):
        largest = max(largest, bits[i] & np.int64(0x7FFF_FFFF_FFFF_FFFF))
    return bool(largest < np.int64(0x7FF0_0000_0000_0000))
