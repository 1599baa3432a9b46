"""The value of a given order among many, as a compiled loop that other kernels call."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from triptych.images._cpu import kernel


@kernel
def select(values: NDArray[Any], order: int) -> Any:
    """The value of this order; reorders them (Hoare's selection)."""
    left, right = 0, len(values) - 1
    while left < right:
        middle = (left + right) // 2
        a, b, c = values[left], values[middle], values[right]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = left, right
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if order <= j:
            right = j
        elif order >= i:
            left = i
        else:
            break
    return values[order]
