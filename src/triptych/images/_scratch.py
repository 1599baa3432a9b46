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

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray

Wanted = tuple[tuple[int, ...], torch.dtype]
"""Shape and dtype of an array."""


class Scratch:
    """Arrays with arbitrary content, lent to one thread at a time and kept for the next; a copy begins empty.

    Without a lock, which a process that forks might inherit taken: `setdefault`, `pop` and `append` are each done at
    once for other threads.
    """

    def __init__(self) -> None:
        self._free: dict[tuple[Wanted, ...], list[list[NDArray[Any]]]] = {}

    @contextmanager
    def lend(self, *wanted: Wanted) -> Iterator[list[NDArray[Any]]]:
        """Arrays of these shapes and dtypes, C-contiguous, the borrower's until the end of the `with` block."""
        free = self._free.setdefault(wanted, [])
        try:
            arrays = free.pop()
        except IndexError:
            arrays = [torch.empty(shape, dtype=dtype).numpy() for shape, dtype in wanted]
        try:
            yield arrays
        finally:
            free.append(arrays)

    def __reduce__(self) -> tuple[type[Scratch], tuple[()]]:
        return Scratch, ()
