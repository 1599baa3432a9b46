"""What every encoding does with its window before it draws: check it, scale it inside itself, keep full precision.

Letters: B batch, T time (candles), F the five candle fields, C channels.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from numbers import Integral

import torch
from torch import Tensor

from triptych.domain import CANDLE_FIELDS
from triptych.domain.errors import DataError, RecipeError
from triptych.images._cpu import has_values
from triptych.images._finite import refuse_impossible_books, refuse_unless_finite


def check_length(name: str, length: int) -> None:
    """Raise RecipeError unless an encoding can be built for windows of `length` candles."""
    if not isinstance(length, Integral) or length < 2:
        raise RecipeError(
            f"{name}: a window needs at least 2 candles, was {length}.",
            remedy="Lengthen the window.",
        )


def check_window(
    window_BTF: Tensor, length: int, columns: tuple[str, ...] = CANDLE_FIELDS, *, scores: bool = False
) -> None:
    """Raise DataError unless this is a tensor of shape (batch, length, number of columns), float32 or float64, finite.

    NaN in the columns of an order book stands for a level that is not there. What no book can hold (a size below zero,
    half a level, a hole among the levels, a best bid above the best ask) is refused unless the columns are `scores`.
    Values are looked at on the CPU only, and not while a graph is made of the encoding: a GPU would have to be waited
    for.
    """
    if not isinstance(window_BTF, Tensor):
        raise DataError(
            f"Expected windows as a tensor, was {type(window_BTF).__name__}.",
            remedy="Make one with torch.tensor(windows, dtype=torch.float32).",
        )
    if window_BTF.dtype not in (torch.float32, torch.float64):
        raise DataError(
            f"Expected windows of float32 or float64, was {str(window_BTF.dtype).removeprefix('torch.')}.",
            remedy="Convert them: half precision cannot hold a price above 65,504, whole numbers no return.",
        )
    if window_BTF.ndim != 3 or tuple(window_BTF.shape[1:]) != (length, len(columns)):
        named = ", ".join(columns) if len(columns) <= 8 else f"{columns[0]}, {columns[1]} .. {columns[-1]}"
        raise DataError(
            f"Expected windows of shape (batch, {length}, {len(columns)}), was {tuple(window_BTF.shape)}.",
            remedy=f"Cut windows of the length the encoding was built for: {named}.",
        )
    if window_BTF.is_meta and not (torch.compiler.is_compiling() or torch.compiler.is_exporting()):
        raise DataError(
            "The windows are on the device meta: they have a shape and no values.",
            remedy="Give windows with values on the CPU or a GPU; the shape of the image is (batch, channels, height, "
            "width) of the encoding.",
        )
    if has_values(window_BTF):
        refuse_unless_finite(window_BTF, columns)
        if not scores:
            refuse_impossible_books(window_BTF, columns)


def full_precision(window_BTF: Tensor) -> AbstractContextManager[object]:
    """A context in which mixed precision is off: half precision cannot even hold a price above 65,504."""
    device = window_BTF.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def positive_or_one(x: Tensor) -> Tensor:
    """`x` where it is above zero, else 1: a divisor that keeps values and gradients of a constant window finite."""
    return torch.where(x > 0, x, 1.0)
