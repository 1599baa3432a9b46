"""Memory for images that is used again: encode into it, hand it back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from triptych.domain.errors import DataError
from triptych.images._cpu import takes_kernel
from triptych.images._window import check_window
from triptych.images.base import AbstractEncoding


def encode_into(encoding: AbstractEncoding, window_BTF: Tensor, out: Tensor) -> Tensor:
    """Encode into `out` instead of a new tensor; no gradient is recorded.

    On the CPU every encoding of this package draws there at once and, once it has drawn a batch of that size, allocates
    nothing of the size of an image: what it needs on the way it keeps. On other devices, and with an encoding of one's
    own that has no kernel, the image is made as always and then copied.

    Args:
        encoding: what draws.
        window_BTF: tensor of shape (batch, length, number of columns), float32 or float64, finite.
        out: contiguous tensor of shape (batch, channels, height, width), of the dtype and on the device of the windows.

    Returns:
        `out`.

    Raises:
        DataError: the window or `out` has another shape, dtype or place than this, or holds a value that is no number.
    """
    check_window(window_BTF, encoding.length, encoding.columns, scores=encoding.takes_scores)
    _check_out(encoding, window_BTF, out)
    return draw_into(encoding, window_BTF, out)


def draw_into(encoding: AbstractEncoding, window_BTF: Tensor, out: Tensor) -> Tensor:
    """`encode_into` of a window and an output that are known to be right."""
    draw = getattr(encoding, "draw", None)
    with torch.no_grad():
        if draw is not None and takes_kernel(window_BTF):
            draw(window_BTF, out)
        else:
            out.copy_(encoding(window_BTF))
    return out


class BufferPool:
    """Buffers of one shape, lent and taken back; for use by several threads at once.

    A buffer is made only while all others are lent. After as many as are ever needed at the same time, the pool makes
    no more. What a borrower does to the shape of a buffer (`resize_`, `requires_grad_`) stays with the borrower.

    Args:
        shape: of a buffer, for images (batch, channels, height, width).
        dtype: of a buffer.

    Attributes:
        n_buffers: how many have been made.

    Raises:
        DataError: a side is not a whole number of at least 0, or the dtype is none.
    """

    def __init__(self, *shape: int, dtype: torch.dtype = torch.float32) -> None:
        if not all(isinstance(side, int) and side >= 0 for side in shape):
            raise DataError(
                f"Expected the sides of a buffer as whole numbers of at least 0, was {shape}.",
                remedy="Give them one by one: BufferPool(batch, channels, height, width).",
            )
        if not isinstance(dtype, torch.dtype):
            raise DataError(f"Expected a dtype of torch, was {dtype!r}.", remedy="Give torch.float32 or torch.float64.")
        self._shape, self._dtype = shape, dtype
        self._free: list[Tensor] = []
        self._lock = threading.Lock()
        self.n_buffers = 0

    @contextmanager
    def borrow(self) -> Iterator[Tensor]:
        """A buffer with arbitrary content, yours until the end of the `with` block; copy what must live longer."""
        buffer = self._take()
        try:
            # Another tensor of the same memory: the pool's own keeps its shape whatever is done to this one.
            yield buffer.view(self._shape)
        finally:
            with self._lock:
                self._free.append(buffer)

    def _take(self) -> Tensor:
        with self._lock:
            if self._free:
                return self._free.pop()
            self.n_buffers += 1
        return torch.empty(self._shape, dtype=self._dtype)


def _check_out(encoding: AbstractEncoding, window_BTF: Tensor, out: Tensor) -> None:
    if not isinstance(out, Tensor):
        raise DataError(
            f"Expected the output as a tensor, was {type(out).__name__}.",
            remedy="Make it with torch.empty, or borrow it from a BufferPool.",
        )
    expected = (len(window_BTF), encoding.channels, encoding.height, encoding.width)
    if tuple(out.shape) != expected:
        raise DataError(
            f"Expected an output of shape {expected}, was {tuple(out.shape)}.",
            remedy="Its shape is (batch, channels, height, width) of the encoding.",
        )
    if out.dtype != window_BTF.dtype or out.device != window_BTF.device:
        raise DataError(
            f"The windows are {window_BTF.dtype} on {window_BTF.device}, the output is {out.dtype} on {out.device}.",
            remedy="Make the output of the dtype and on the device of the windows.",
        )
    if not out.is_contiguous() or out.requires_grad:
        raise DataError(
            "The output is not contiguous or requires a gradient.",
            remedy="Make it with torch.empty, or borrow it from a BufferPool.",
        )
