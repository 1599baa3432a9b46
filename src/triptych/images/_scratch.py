"""Working memory of kernels that is used again, so that drawing allocates nothing but the image.

    def __init__(self, ...):
        self.scratch = Scratch()

    def draw(self, window_BTF, image_BCHW):
        def share(first, end):                                            # runs in several threads at once
            with self.scratch.lend(((self.height, self.length), torch.float64)) as (depth,):
                draw_depth(first, end, as_array(window_BTF), as_array(image_BCHW), depth)

        run_shared(share, len(window_BTF), grain=16)

Shapes must not depend on the size of the batch, else every size would keep memory of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray

Wanted = tuple[tuple[int, ...], torch.dtype]
"""Shape and dtype of an array."""


class Scratch:
    """Arrays with arbitrary content, lent to one thread at a time and kept for the next; a copy begins empty."""

    def __init__(self) -> None:
        self._free: dict[tuple[Wanted, ...], list[list[NDArray[Any]]]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def lend(self, *wanted: Wanted) -> Iterator[list[NDArray[Any]]]:
        """Arrays of these shapes and dtypes, C-contiguous, the borrower's until the end of the `with` block."""
        with self._lock:
            free = self._free.setdefault(wanted, [])
            arrays = free.pop() if free else None
        if arrays is None:
            arrays = [torch.empty(shape, dtype=dtype).numpy() for shape, dtype in wanted]
        try:
            yield arrays
        finally:
            with self._lock:
                free.append(arrays)

    def __reduce__(self) -> tuple[type[Scratch], tuple[()]]:
        return Scratch, ()
