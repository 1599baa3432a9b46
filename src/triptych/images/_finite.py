"""Numbers that are none, and sizes that no order book holds: refused where an encoding takes its window, at a small
part of the time of drawing.

A number is not finite when all bits of its exponent are set, so the largest bit pattern without its sign tells of a
whole batch whether all are finite: integers, which the compiler compares by whole vectors. Only when one is not, or a
book has fewer levels than columns, is anything looked at again.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from triptych.domain.book import BOOK_FIELDS
from triptych.domain.errors import DataError
from triptych.images._cpu import as_array, has_values, kernel
from triptych.images._unlike_books import first_unlike

MOST_SIZE: Final = 1e24
"""Of a level of a book: above it sums of levels would leave single precision."""


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
    if wrong.any():
        raise _refused(values, wrong, columns, "", _NOT_FINITE)


def refuse_impossible_books(window_BTF: Tensor, columns: tuple[str, ...]) -> None:
    """Raise DataError that names window, row and column of the first size of a book that no book can hold, or the first
    row whose levels are none of a book.

    Looked at where the values are at hand: on the CPU, and not while a graph is made.
    """
    sizes = _sizes(columns)
    if sizes is None or not has_values(window_BTF):
        return
    values = window_BTF.detach().numpy()
    wrong = impossible_sizes(values, columns)
    if wrong.any():
        first = values[tuple(np.argwhere(wrong)[0])]
        raise _refused(values, wrong, columns, *why_impossible(first))
    unlike = first_unlike(values, columns)
    if unlike is not None:
        window, row, why, remedy = unlike
        raise DataError(f"Window {window} of the batch, row {row} of {values.shape[1]}: {why}.", remedy=remedy)


def impossible_sizes(values: NDArray[Any], columns: tuple[str, ...]) -> NDArray[np.bool_]:
    """Sizes of a book below zero or above `MOST_SIZE`, bool of the shape of the values, (..., columns)."""
    sizes = _sizes(columns)
    if sizes is None:
        return np.zeros(values.shape, dtype=np.bool_)
    return ((values < 0) | (values > MOST_SIZE)) & sizes


def why_impossible(size: float) -> tuple[str, str]:
    """What is wrong about such a size, and what to do."""
    if size < 0:
        return ", and nothing less than nothing can rest in a book", "Give 0 or NaN for a level that is not there."
    return f", and no book holds more than {MOST_SIZE:g}", "Look whether the column is a size, and in which unit."


_NOT_FINITE = "Leave out windows that hold unknown values, or fill the gap before they are cut."


@cache
def _sizes(columns: tuple[str, ...]) -> NDArray[np.bool_] | None:
    """Columns of sizes of a book, bool of shape (columns,); None when there are none."""
    found = np.array([name.startswith(("bid_size_", "ask_size_")) for name in columns], dtype=np.bool_)
    return found if found.any() else None


def _refused(
    values: NDArray[Any], wrong: NDArray[np.bool_], columns: tuple[str, ...], why: str, remedy: str
) -> DataError:
    """The error that names the first value that is wrong; both arrays of shape (batch, time, columns)."""
    window, row, column = (int(i) for i in np.argwhere(wrong)[0])
    return DataError(
        f"Window {window} of the batch, row {row} of {values.shape[1]}: {columns[column]} is "
        f"{values[window, row, column]}{why}.",
        remedy=remedy,
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
