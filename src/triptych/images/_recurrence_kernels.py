"""Compiled kernels of the recurrence plot. Each does what `recurrence_plot.py` does with tensors, bit for bit.

Where trajectories have several values, the kernels that compare distances compare their squares: the order is the same,
and no root is taken that another library would round differently. `Order` below is the place of a distance among those
of all pairs i < j of a window, counted from 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.images._cpu import kernel

Array = NDArray[Any]

FEW = 64
"""Gaps that are sorted instead of being searched any further."""


@kernel
def draw_distances(first: int, end: int, x: Array, image: Array, dimension: int, delay: int) -> None:
    """Fill `image[first:end]` with the distances of the trajectories of `x`, an array of shape (windows, time)."""
    side = image.shape[1]
    for n in range(first, end):
        for i in range(side):
            row = image[n, i]
            if dimension == 1:
                for j in range(side):
                    row[j] = abs(x[n, i] - x[n, j])
            else:
                _squares(x[n], i, row, dimension, delay)
                for j in range(side):
                    row[j] = np.sqrt(row[j])


@kernel
def draw_recurrences(first: int, end: int, x: Array, limits: Array, image: Array, dimension: int, delay: int) -> None:
    """Fill `image[first:end]` with 1 where the distance (or its square) is below the window's limit, else 0."""
    side = image.shape[1]
    one, zero = image.dtype.type(1), image.dtype.type(0)
    for n in range(first, end):
        limit = limits[n]
        for i in range(side):
            row = image[n, i]
            if dimension == 1:
                for j in range(side):
                    row[j] = one if abs(x[n, i] - x[n, j]) < limit else zero
            else:
                _squares(x[n], i, row, dimension, delay)
                for j in range(side):
                    row[j] = one if row[j] < limit else zero


@kernel
def largest_squares(first: int, end: int, x: Array, limits: Array, dimension: int, delay: int) -> None:
    """Set `limits[first:end]` to the largest square of a distance in each window."""
    side = x.shape[1] - (dimension - 1) * delay
    row = np.empty(side, x.dtype)
    for n in range(first, end):
        largest = x.dtype.type(0)
        for i in range(side):
            _squares(x[n], i, row, dimension, delay)
            for j in range(i):
                largest = max(largest, row[j])
        limits[n] = largest


@kernel
def ordered_squares(
    first: int, end: int, x: Array, limits: Array, image: Array, order: int, dimension: int, delay: int
) -> None:
    """Set `limits[first:end]` to the square of the distance that has this order.

    Before it is drawn, the image's own memory holds the squares: it has two pixels for every pair.
    """
    side = image.shape[1]
    for n in range(first, end):
        pairs = image[n].reshape(side * side)[: side * (side - 1) // 2]
        row = image[n, side - 1]
        filled = 0
        for i in range(side):
            _squares(x[n], i, row, dimension, delay)
            pairs[filled : filled + i] = row[:i]
            filled += i
        limits[n] = _select(pairs, order)


@kernel
def ordered_gaps(first: int, end: int, x: Array, limits: Array, order: int) -> None:
    """Set `limits[first:end]` to the distance that has this order, for trajectories of a single value."""
    few = np.empty(FEW, x.dtype)
    for n in range(first, end):
        limits[n] = _ordered_gap(np.sort(x[n]), order, few)


@kernel
def _squares(x: Array, i: int, row: Array, dimension: int, delay: int) -> None:
    """Squares of the distances of trajectory i to all."""
    for j in range(len(row)):
        difference = x[i] - x[j]
        row[j] = difference * difference
    for k in range(delay, dimension * delay, delay):
        for j in range(len(row)):
            difference = x[i + k] - x[j + k]
            row[j] += difference * difference


@kernel
def _ordered_gap(x: Array, order: int, few: Array) -> Any:
    """The gap x[j] - x[i], i < j, of this order; `x` rises.

    Gaps up to a length are counted by two pointers, without being listed. The answer is kept between `low`, a length
    that at most `order` gaps stay within, and `high`, a gap that more do, until few are left, which are sorted.
    """
    n = len(x)
    low, high = -1.0, np.float64(x[n - 1] - x[0])
    within_low, within_high = 0, n * (n - 1) // 2
    halve = False
    while within_high - within_low > len(few):
        share = 0.5 if halve else (order + 0.5 - within_low) / (within_high - within_low)
        guess = max(low, 0.0) + share * (high - max(low, 0.0))
        if not guess < high:
            guess = max(low, 0.0)
        count, longest, next_longer = 0, np.float64(0.0), high
        j = 0
        for i in range(n):
            j = max(j, i)
            while j + 1 < n and x[j + 1] - x[i] <= guess:
                j += 1
            count += j - i
            longest = np.float64(max(longest, x[j] - x[i]))
            if j + 1 < n:
                next_longer = np.float64(min(next_longer, x[j + 1] - x[i]))
        before = within_high - within_low
        if count > order:
            high, within_high = longest, count
        elif next_longer == high:
            return x.dtype.type(high)
        else:
            low, within_low = guess, count
        # Interpolation is slow where gaps crowd together: after a poor guess the interval is halved.
        halve = not halve and 2 * (within_high - within_low) > before
    filled = 0
    j, k = 0, 0
    for i in range(n):
        j, k = max(j, i + 1), max(k, i + 1)
        while j < n and x[j] - x[i] <= low:
            j += 1
        while k < n and x[k] - x[i] <= high:
            k += 1
        for gap_end in range(j, k):
            few[filled] = x[gap_end] - x[i]
            filled += 1
    return _select(few[:filled], order - within_low)


@kernel
def _select(values: Array, order: int) -> Any:
    """The value that would stand at place `order` if they were sorted; reorders them (Hoare's selection)."""
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
