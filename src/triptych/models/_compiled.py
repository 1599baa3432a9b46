"""Compiled loops, for what goes from candle to candle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """A serial function over NumPy arrays and numbers, compiled on its first call and kept on disk for later ones.

    It releases the interpreter's lock. Sums stay in the order in which they are written.
    """
    try:
        fast = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:  # no folder that can be written to: compiled anew in every process
        fast = numba.njit(nogil=True, error_model="numpy")(function)
    return cast(Function, fast)
