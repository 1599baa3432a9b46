"""Compiled loops, in one way: for what would pass over the memory many times, and what goes from candle to candle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function, **options: Any) -> Function:
    """A serial function over NumPy arrays and numbers, compiled on its first call and kept on disk for later ones.

    It releases the interpreter's lock; division by zero gives inf or NaN, as in NumPy. Sums stay in the order in which
    they are written, unless `options` of numba (`fastmath`) say otherwise.
    """
    options = {"nogil": True, "error_model": "numpy", **options}
    try:
        fast = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder that can be written to: compiled anew in every process
        fast = numba.njit(**options)(function)
    return cast(Function, fast)
