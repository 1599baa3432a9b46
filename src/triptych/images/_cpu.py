"""When an encoding may draw with a compiled kernel, and how a kernel uses the cores. How to write one:

    @kernel
    def _draw(first: int, end: int, window: np.ndarray, image: np.ndarray) -> None:
        for b in range(first, end): ...                      # fills image[first:end] and nothing else

    def forward(self, window_BTF):
        check_window(window_BTF, self.length)
        if takes_kernel(window_BTF):
            return drawn(self, window_BTF)
        ...                                                  # plain tensor operations: export, GPU, gradients

    def draw(self, window_BTF, image_BCHW):                  # into memory that is there: streams and pools reuse it
        run_shared(_draw, len(image_BCHW), as_array(window_BTF), as_array(image_BCHW), grain=16)

Kernels are serial and release the interpreter's lock; `run_shared` gives each core a share of the batch, in threads of
our own. Never write `parallel=True` or `prange`: numba's own threads either abort the process when two Python threads
meet in them (workqueue layer, the only one that is always there) or when the process forks (OpenMP layer), and a live
engine, a dashboard and a loader with worker processes do both. `torch.set_num_threads` rules our threads too.

A kernel is compiled on its first call (seconds) and kept on disk for the next process. The store does not notice when a
function of ANOTHER file that a kernel calls has changed: keep a kernel's helpers in the kernel's own file.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd import forward_ad

from triptych.domain.compiling import Function, compiled
from triptych.images._kept_memory import KeptMemory

CORES = os.cpu_count() or 1
"""Asked once: the answer takes longer than a small image."""
WORTH_A_THREAD = 500_000
"""Pixels; about 0.2 ms."""
KEPT_BYTES = 256 * 2**20
"""Memory of images that is kept for the next ones."""


def kernel(function: Function) -> Function:
    """Compile a serial function over NumPy arrays and numbers; division by zero gives inf or NaN, as in NumPy."""
    return compiled(function)


def fusing_kernel(function: Function) -> Function:
    """The same where a product and a sum may be one operation: for sums of many products, never where ties decide."""
    return compiled(function, fastmath={"contract"})


def has_values(x: Tensor) -> bool:
    """Whether this tensor's numbers can be looked at here and now.

    True for a float32 or float64 tensor on the CPU while nothing is exported, compiled or traced (torch.export and
    torch.compile bring tensors without values, function transforms wrapped ones).
    """
    return (
        type(x) is Tensor
        and x.is_cpu
        and x.dtype in (torch.float32, torch.float64)
        and not torch.compiler.is_compiling()
        and not torch.compiler.is_exporting()
        and torch._C._get_tracing_state() is None
        and torch._C._len_torch_dispatch_stack() == 0
        and torch._C._functorch.peek_interpreter_stack() is None
    )


def takes_kernel(x: Tensor) -> bool:
    """Whether a kernel may read this tensor: `has_values`, and nobody who wants derivatives through the operations."""
    return not (x.requires_grad and torch.is_grad_enabled()) and has_values(x) and not _has_tangent(x)


def _has_tangent(x: Tensor) -> bool:
    """Whether forward-mode derivatives are taken with respect to this tensor; there is one level of them, 0."""
    if forward_ad._current_level < 0:
        return False
    return forward_ad.unpack_dual(x, level=0).tangent is not None  # type: ignore[no-untyped-call]


def as_array(x: Tensor) -> NDArray[Any]:
    """The tensor's memory as a C-contiguous array; a tensor that is not contiguous is copied, so draw into new ones."""
    return x.detach().contiguous().numpy()


@runtime_checkable
class Draws(Protocol):
    """An encoding with a kernel. `draw` fills every pixel of an image for windows that `takes_kernel` accepts."""

    channels: int
    height: int
    width: int

    def draw(self, window_BTF: Tensor, image_BCHW: Tensor) -> None:
        """Encode into `image_BCHW`: contiguous, on the CPU, of the dtype of the windows; nothing is checked."""


def drawn(encoding: Draws, window_BTF: Tensor) -> Tensor:
    """A new image, drawn by the encoding's kernel; where an image has just been let go, its memory is taken."""
    shape = (len(window_BTF), encoding.channels, encoding.height, encoding.width)
    image_BCHW = _MEMORY.empty(shape, window_BTF.dtype)
    encoding.draw(window_BTF, image_BCHW)
    return image_BCHW


def kernel_threads() -> int:
    """Threads a kernel may use now: those of torch, so that `torch.set_num_threads` rules both."""
    return min(torch.get_num_threads(), CORES)


def grain_of(pixels: int) -> int:
    """How many images of so many pixels are a share worth a thread, where a pixel takes little more than its store."""
    return -(-WORTH_A_THREAD // pixels)


def run_shared(kernel: Callable[..., object], count: int, /, *arguments: object, grain: int = 1) -> None:
    """Call `kernel(first, end, *arguments)` so that the ranges cover 0 .. count, on as many threads as torch may use.

    Safe from several threads at once and after a fork. The calling thread does the first share and any that no thread
    has begun by then, so a busy machine costs no waiting.

    Args:
        kernel: releases the interpreter's lock; must not write what another range reads or writes.
        count: items, usually images of a batch.
        arguments: passed on to every call.
        grain: smallest share worth a thread: about 0.2 ms of work.
    """
    shares = 1 if count < 2 * grain else min(kernel_threads(), count // grain)
    if shares == 1:
        kernel(0, count, *arguments)
        return
    bounds = [count * i // shares for i in range(shares + 1)]
    others = list(itertools.pairwise(bounds))[1:]
    waiting = [_THREADS.get().submit(kernel, first, end, *arguments) for first, end in others]
    try:
        kernel(0, bounds[1], *arguments)
    finally:
        for future, (first, end) in zip(waiting, others, strict=True):
            if future.cancel():
                kernel(first, end, *arguments)
            else:
                future.result()


class _Threads:
    """Threads that wait for work: started on first use, and anew in a forked child, which inherits none."""

    _lock: threading.Lock
    _pool: ThreadPoolExecutor | None

    def __init__(self) -> None:
        self._forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def get(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(CORES, thread_name_prefix="triptych-kernel")
            return self._pool

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._pool = None


_THREADS = _Threads()
_MEMORY = KeptMemory(KEPT_BYTES)
