"""Compiled kernels of the recurrence plot. Each does what `recurrence_plot.py` does with tensors.

Measure: the distance of two states of one value, the square of the distance of longer ones. Loops run over whole rows
without branches, so that the compiler turns them into vector instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.images._cpu import kernel
from triptych.images._recurrence_order import ordered_distance, ordered_square
from triptych.images._series_kernel import take_series

Array = NDArray[Any]


@kernel
def draw_distances(
    first: int,
    end: int,
    rows: Array,
    columns: Array,
    image: Array,
    in_range: bool,
    most: float,
    dimension: int,
    delay: int,
) -> None:
    """Fill `image[first:end]` with the distances of the states of the series in `rows`.

    With `in_range` they are divided by the window's range and by `most`.
    """
    side = image.shape[1]
    values = np.empty(rows.shape[1], image.dtype)
    for n in range(first, end):
        take_series(rows, columns, n, values)
        if in_range:
            low, high = values[0], values[0]
            for value in values:
                low, high = min(low, value), max(high, value)
            unit = (high - low if high > low else image.dtype.type(1)) * image.dtype.type(most)
            for t in range(len(values)):
                values[t] = (values[t] - low) / unit
        for i in range(side):
            row, own = image[n, i], values[i]
            if dimension == 1:
                for j in range(side):
                    row[j] = abs(own - values[j])
            else:
                _squares(values, i, row, dimension, delay)
                for j in range(side):
                    row[j] = np.sqrt(row[j])


@kernel
def draw_recurrences(
    first: int, end: int, rows: Array, columns: Array, image: Array, limits: Array, dimension: int, delay: int
) -> None:
    """Fill `image[first:end]` with 1 where the measure is below the series' limit, else 0."""
    values = np.empty(rows.shape[1], image.dtype)
    for n in range(first, end):
        take_series(rows, columns, n, values)
        _recurrences(values, limits[n], image[n], dimension, delay)


@kernel
def draw_nearest(
    first: int,
    end: int,
    rows: Array,
    columns: Array,
    image: Array,
    order: int,
    least: float,
    dimension: int,
    delay: int,
) -> None:
    """Fill `image[first:end]` with 1 where the measure is below the one of this order, and below `least` anyway.

    Before it is drawn, the image's own memory is what the search works in: it has two pixels for every pair.
    """
    side = image.shape[1]
    values = np.empty(rows.shape[1], image.dtype)
    states = np.empty((dimension, 2 * side), image.dtype)
    rising, reaches = np.empty(side, image.dtype), np.empty((2, side), np.uint32)
    for n in range(first, end):
        take_series(rows, columns, n, values)
        memory = image[n].reshape(side * side)
        if dimension == 1:
            limit = ordered_distance(values, rising, reaches, memory, order)
        else:
            for k in range(dimension):
                states[k, :side] = states[k, side:] = values[k * delay : k * delay + side]
            limit = ordered_square(states, reaches, memory, order)
        _recurrences(values, max(limit, image.dtype.type(least)), image[n], dimension, delay)


@kernel
def largest_squares(first: int, end: int, x: Array, limits: Array, dimension: int, delay: int) -> None:
    """Set `limits[first:end]` to the largest square of a distance in each window."""
    side = x.shape[1] - (dimension - 1) * delay
    row, largest = np.empty(side, x.dtype), np.empty(side, x.dtype)
    for n in range(first, end):
        largest[:] = 0
        for i in range(side):
            _squares(x[n], i, row, dimension, delay)
            for j in range(side):
                largest[j] = row[j] if row[j] > largest[j] else largest[j]
        limits[n] = largest.max()


@kernel
def _recurrences(x: Array, limit: Any, image: Array, dimension: int, delay: int) -> None:
    side = len(image)
    one, zero = image.dtype.type(1), image.dtype.type(0)
    for i in range(side):
        row, own = image[i], x[i]
        if dimension == 1:
            for j in range(side):
                row[j] = one if abs(own - x[j]) < limit else zero
        else:
            _squares(x, i, row, dimension, delay)
            for j in range(side):
                row[j] = one if row[j] < limit else zero


@kernel
def _squares(x: Array, i: int, row: Array, dimension: int, delay: int) -> None:
    """Fill `row` with the squares of the distances of state i to all."""
    own = x[i]
    for j in range(len(row)):
        difference = own - x[j]
        row[j] = difference * difference
    for k in range(delay, dimension * delay, delay):
        own, later = x[i + k], x[k:]
        for j in range(len(row)):
            difference = own - later[j]
            row[j] += difference * difference
