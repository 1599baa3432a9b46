"""The measure of a given order among all pairs of states of a window: the limit of a recurrence plot by points.

Order: the place of a measure in rising order, counted from 0. It is found by guessing: how many pairs are not above a
guess is counted by whole vectors, and the next guess interpolates. States of one value are sorted first: the more
places two of them are apart, the larger their distance, so distant pairs need not be looked at, and none is stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.images._cpu import kernel
from triptych.images._ranks import rank_values
from triptych.images._selection import select

Array = NDArray[Any]

BLOCK = 128
"""Values that are searched for candidates at a time."""
FEW = 8
"""Candidates that are sorted out one by one."""
MOST_GUESSES = 40
"""More are of no use: where many values are the same, no guess can part them."""


@kernel
def ordered_distance(values: Array, memory: Array, order: int) -> Any:
    """The distance of this order among those of all pairs of values; `memory` has a place for each of them."""
    rising = np.empty_like(values)
    _sort(values, rising, memory)
    pairs = len(values) * (len(values) - 1) // 2
    return _ordered(rising, pairs, memory, order, rising[-1] - rising[0], True)


@kernel
def ordered_square(states: Array, memory: Array, order: int) -> Any:
    """The square of the distance of this order among those of all pairs of states of several values.

    Args:
        states: shape (dimension, twice the states), going round the circle of states twice.
        memory: two places for every pair.
        order: of the wanted square.
    """
    side = states.shape[1] // 2
    pairs = side * (side - 1) // 2
    _measure_pairs(states, memory, pairs)
    largest = memory[0]
    for k in range(pairs):
        largest = memory[k] if memory[k] > largest else largest
    return _ordered(memory[:pairs], pairs, memory[pairs : 2 * pairs], order, largest, False)


@kernel
def _sort(values: Array, rising: Array, coming: Array) -> None:
    ranks, taken = np.empty(len(values), np.uint32), np.zeros(len(values), np.uint32)
    rank_values(values, ranks, coming)
    for t in range(len(values)):
        rising[ranks[t] + taken[ranks[t]]] = values[t]  # equal values share a rank
        taken[ranks[t]] += 1


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
def _ordered(values: Array, pairs: int, candidates: Array, order: int, high: Any, are_states: bool) -> Any:
    """The measure of this order; none is above `high`.

    It is kept between `low`, which at most `order` measures reach, and `high`, which more do, until few are left
    between them; those are gathered in `candidates`.

    Args:
        values: with `are_states` the states in rising order, else the measures of all pairs, which are squares and
            spread like distances when their root is taken.
        pairs: how many there are.
        candidates: a place for every pair.
        order: of the wanted measure.
        high: the largest measure.
        are_states: what `values` are.
    """
    dtype = values.dtype.type
    low = dtype(-1)
    within_low, within_high = 0, pairs
    halve = False
    for _ in range(MOST_GUESSES):
        left = within_high - within_low
        floor = max(low, dtype(0))
        share = 0.5 if halve else (order + 0.5 - within_low) / left
        if are_states:
            guess = dtype(floor + share * (high - floor))
        else:
            guess = dtype((np.sqrt(floor) + share * (np.sqrt(high) - np.sqrt(floor))) ** 2)
        if left <= FEW or guess >= high:
            break
        count = _count_pairs(values, guess) if are_states else _count(values, guess)
        if count > order:
            high, within_high = guess, count
        else:
            low, within_low = guess, count
        # Interpolation is slow where values crowd together: after a poor guess the interval is halved.
        halve = not halve and 2 * (within_high - within_low) > left
    filled = _gather_pairs(values, low, high, candidates) if are_states else _gather(values, low, high, candidates)
    return select(candidates[:filled], order - within_low)


@kernel
def _gather(values: Array, low: Any, high: Any, candidates: Array) -> int:
    """Put values above `low` and not above `high` into `candidates`, and say how many they are."""
    filled = 0
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        if _count(block, high) > _count(block, low):
            for k in range(len(block)):
                candidates[filled] = block[k]
                filled += (low < block[k]) & (block[k] <= high)
    return filled


@kernel
def _count(values: Array, high: Any) -> Any:
    """How many values are not above `high`. A narrow counter: more of them fit into a vector."""
    count = np.uint32(0)
    for k in range(len(values)):
        count = np.uint32(count + np.uint32(values[k] <= high))
    return np.int64(count)


@kernel
def _gather_pairs(rising: Array, low: Any, high: Any, candidates: Array) -> int:
    """The same of the distances of pairs of values in rising order."""
    filled = 0
    for apart in range(1, len(rising)):
        above, below = rising[apart:], rising[: len(rising) - apart]
        within = _count_differences(above, below, high)
        if within == 0:
            break
        if within > _count_differences(above, below, low):
            for i in range(len(above)):
                distance = above[i] - below[i]
                candidates[filled] = distance
                filled += (low < distance) & (distance <= high)
    return filled


@kernel
def _count_pairs(rising: Array, high: Any) -> Any:
    """How many pairs of values in rising order are not more than `high` apart."""
    count = 0
    for apart in range(1, len(rising)):
        within = _count_differences(rising[apart:], rising[: len(rising) - apart], high)
        if within == 0:  # the further apart in the order, the further apart in value
            break
        count += within
    return count


@kernel
def _count_differences(above: Array, below: Array, high: Any) -> Any:
    count = np.uint32(0)
    for i in range(len(above)):
        count = np.uint32(count + np.uint32(above[i] - below[i] <= high))
    return np.int64(count)
