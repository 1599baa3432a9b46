"""Compiled kernels of the recurrence plot. Each does what `recurrence_plot.py` does with tensors.

Measure: the distance of two states of one value, the square of the distance of longer ones. Order: the place of a
measure among those of all pairs of states of a window in rising order, counted from 0. Loops run over whole rows
without branches, so that the compiler turns them into vector instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.images._cpu import kernel
from triptych.images._selection import select

Array = NDArray[Any]

BLOCK = 128
"""Values that are searched for candidates at a time."""
FEW = 8
"""Candidates that are sorted out one by one."""
MOST_GUESSES = 40
"""More are of no use: where many values are the same, no guess can part them."""


@kernel
def draw_distances(
    first: int, end: int, x: Array, image: Array, in_range: bool, most: float, dimension: int, delay: int
) -> None:
    """Fill `image[first:end]` with the distances of the states of `x`, an array of shape (windows, time).

    With `in_range` they are divided by the window's range and by `most`.
    """
    side = image.shape[1]
    values = np.empty(x.shape[1], x.dtype)
    for n in range(first, end):
        values[:] = x[n]
        if in_range:
            low, high = values[0], values[0]
            for value in values:
                low, high = min(low, value), max(high, value)
            unit = (high - low if high > low else x.dtype.type(1)) * x.dtype.type(most)
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
def draw_recurrences(first: int, end: int, x: Array, limits: Array, image: Array, dimension: int, delay: int) -> None:
    """Fill `image[first:end]` with 1 where the measure is below the window's limit, else 0."""
    for n in range(first, end):
        _recurrences(x[n], limits[n], image[n], dimension, delay)


@kernel
def draw_nearest(
    first: int, end: int, x: Array, limits: Array, image: Array, order: int, least: float, dimension: int, delay: int
) -> None:
    """Fill `image[first:end]` with 1 where the measure is below the one of this order, and below `least` anyway.

    Before it is drawn, the image's own memory holds the measures and those that are left of them: it has two pixels for
    every pair. `limits` are at least the largest measure of each window.
    """
    side = image.shape[1]
    pairs = side * (side - 1) // 2
    states = np.empty((dimension, 2 * side), x.dtype)
    for n in range(first, end):
        memory = image[n].reshape(side * side)
        for k in range(dimension):
            states[k, :side] = states[k, side:] = x[n, k * delay : k * delay + side]
        _measure_pairs(states, memory, pairs)
        limit = _ordered(memory[:pairs], memory[pairs : 2 * pairs], order, limits[n], dimension > 1)
        _recurrences(x[n], max(limit, x.dtype.type(least)), image[n], dimension, delay)


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


@kernel
def _measure_pairs(states: Array, memory: Array, pairs: int) -> None:
    """Fill the first `pairs` places of `memory` with the measures of all pairs.

    Each state is paired with the one that comes so many places later in a circle of the states, which makes all rows
    but one equally long. `states`, of shape (dimension, twice the states), goes round the circle twice.
    """
    side = states.shape[1] // 2
    for lag in range(1, side // 2 + 1):
        filled = (lag - 1) * side
        for k in range(len(states)):
            row, here, there = memory[filled : min(filled + side, pairs)], states[k], states[k, lag:]
            for j in range(len(row)):
                difference = here[j] - there[j]
                if len(states) == 1:
                    row[j] = abs(difference)
                elif k == 0:
                    row[j] = difference * difference
                else:
                    row[j] += difference * difference


@kernel
def _ordered(values: Array, candidates: Array, order: int, high: Any, squares: bool) -> Any:
    """The value of this order; none is above `high`. Squares are spread like distances when their root is taken.

    It is kept between `low`, which at most `order` values reach, and `high`, which more do, until few values are left
    between them; those are gathered in `candidates`.
    """
    dtype = values.dtype.type
    low = dtype(-1)
    within_low, within_high = 0, len(values)
    halve = False
    for _ in range(MOST_GUESSES):
        left = within_high - within_low
        floor = max(low, dtype(0))
        share = 0.5 if halve else (order + 0.5 - within_low) / left
        if squares:
            guess = dtype((np.sqrt(floor) + share * (np.sqrt(high) - np.sqrt(floor))) ** 2)
        else:
            guess = dtype(floor + share * (high - floor))
        if left <= FEW or guess >= high:
            break
        count = _count(values, guess)
        if count > order:
            high, within_high = guess, count
        else:
            low, within_low = guess, count
        # Interpolation is slow where values crowd together: after a poor guess the interval is halved.
        halve = not halve and 2 * (within_high - within_low) > left
    filled = 0
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        if _count(block, high) > _count(block, low):
            for k in range(len(block)):
                candidates[filled] = block[k]
                filled += (low < block[k]) & (block[k] <= high)
    return select(candidates[:filled], order - within_low)


@kernel
def _count(values: Array, high: Any) -> Any:
    """How many values are not above `high`. A narrow counter: more of them fit into a vector."""
    count = np.uint32(0)
    for k in range(len(values)):
        count = np.uint32(count + np.uint32(values[k] <= high))
    return np.int64(count)
