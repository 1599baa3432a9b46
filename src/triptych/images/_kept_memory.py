"""Memory of images that nobody holds any more, used for the next images of that size.

The C library hands large memory back to the system as soon as it is freed, and the system clears every page of the next
batch before it may be written, which takes longer than drawing it. So the memory of an image is kept when the image and
all its views are gone, and the next batch of that size is drawn there. A loop over batches holds one image while it
draws the next, hence goes back and forth between two.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import torch
from torch import Tensor

ALIGNMENT = 64
"""Bytes: a line of the cache, and a whole vector. NumPy aligns to 16, but asks for large pages where it may."""
LEAST_BYTES = 128 * 1024
"""What the C library keeps by itself."""


class KeptMemory:
    """Makes tensors from memory that is free again; for use by several threads at once.

    Without a lock, which a process that forks might inherit taken and the collector might ask for twice: what is done
    to the list of free memory is done at once for other threads.

    Args:
        most_bytes: of free memory that is kept. Tensors of more than half of it are made as always.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._free: list[_Memory] = []

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """A contiguous tensor of arbitrary content on the CPU, like `torch.empty`; it cannot be resized to hold more.

        Args:
            shape: of the tensor.
            dtype: float32 or float64.
        """
        n_bytes = math.prod(shape) * dtype.itemsize
        if not LEAST_BYTES <= n_bytes <= self.most_bytes // 2:
            return torch.empty(shape, dtype=dtype)
        return torch.from_numpy(np.asarray(_Lent(self._take(n_bytes), self, shape, dtype)))

    def give_back(self, memory: _Memory) -> None:
        """Keep memory whose tensor is gone, unless enough is kept."""
        if sum(kept.n_bytes for kept in self._free.copy()) + memory.n_bytes <= self.most_bytes:
            self._free.append(memory)

    def _take(self, n_bytes: int) -> _Memory:
        for memory in self._free.copy():
            if memory.n_bytes == n_bytes and self._removed(memory):
                return memory
        for memory in self._free[:1]:  # what no longer fits must not keep out what would
            self._removed(memory)
        return _Memory(n_bytes)

    def _removed(self, memory: _Memory) -> bool:
        """Take this memory out of the list, unless another thread has been faster."""
        try:
            self._free.remove(memory)
        except ValueError:
            return False
        return True


class _Memory:
    """Bytes that begin at a multiple of the alignment."""

    __slots__ = ("address", "array", "n_bytes")

    def __init__(self, n_bytes: int) -> None:
        self.n_bytes = n_bytes
        self.array = np.empty(n_bytes + ALIGNMENT, dtype=np.uint8)
        self.address = self.array.ctypes.data + -self.array.ctypes.data % ALIGNMENT


class _Lent:
    """Stands between a tensor and its memory: it goes when the last view of the tensor does, and gives it back."""

    __slots__ = ("__array_interface__", "_home", "_memory")

    def __init__(self, memory: _Memory, home: KeptMemory, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        self._memory, self._home = memory, home
        kind = f"{'<' if sys.byteorder == 'little' else '>'}f{dtype.itemsize}"
        self.__array_interface__: dict[str, Any] = {
            "version": 3, "shape": shape, "typestr": kind, "data": (memory.address, False)
        }  # fmt: skip

    def __del__(self) -> None:
        self._home.give_back(self._memory)
