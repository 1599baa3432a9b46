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

    An encoding with a CPU kernel draws there at once and allocates nothing of the size of an image. Any other encoding
    does allocate its image, which is then copied.

    Args:
        encoding: what draws.
        window_BTF: tensor of shape (batch, length, number of columns), float32 or float64.
        out: contiguous tensor of shape (batch, channels, height, width), of the dtype and on the device of the windows.

    Returns:
        `out`.

    Raises:
        DataError: the window or `out` has another shape, dtype or place than this.
    """
    check_window(window_BTF, encoding.length, encoding.columns)
    _check_out(encoding, window_BTF, out)
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
    no more.

    Args:
        shape: of a buffer, for images (batch, channels, height, width).
        dtype: of a buffer.

    Attributes:
        n_buffers: how many have been made.
    """

    def __init__(self, *shape: int, dtype: torch.dtype = torch.float32) -> None:
        self._shape, self._dtype = shape, dtype
        self._free: list[Tensor] = []
        self._lock = threading.Lock()
        self.n_buffers = 0

    @contextmanager
    def borrow(self) -> Iterator[Tensor]:
        """A buffer with arbitrary content, yours until the end of the `with` block; copy what must live longer."""
        buffer = self._take()
        try:
            yield buffer
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
