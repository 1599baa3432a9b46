"""Numbers that are none: refused where an encoding takes its window, at a small part of the time of drawing.

A number is not finite when all bits of its exponent are set, so the largest bit pattern without its sign tells of a
whole batch whether all are finite: integers, which the compiler compares by whole vectors. Only when one is not, or a
book has fewer levels than columns, is anything looked at again.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triptych.domain.book import BOOK_FIELDS
from triptych.domain.errors import DataError
from triptych.images._cpu import kernel

_BITS: Final = {
    torch.float32: (torch.int32, 0x7FFF_FFFF, 0x7F80_0000),
    torch.float64: (torch.int64, 0x7FFF_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000),
}
"""Of each dtype: the integer of its size, all bits but the sign, and infinity."""


def are_finite(values: Tensor) -> bool:
    """Whether all values of a float32 or float64 tensor on the CPU are finite."""
    kind, mask, infinity = _BITS[values.dtype]
    bits = values.detach().contiguous().view(kind).reshape(-1).numpy()
    return int(_largest(bits, bits.dtype.type(mask))) < infinity


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


@kernel
def _largest(bits: NDArray[Any], mask: Any) -> Any:
    """The largest of the patterns within the mask; 0 of none."""
    largest = bits.dtype.type(0)
    for i in range(len(bits)):
        largest = max(largest, bits[i] & mask)
    return largest
