"""The measure of a given order among all pairs of states of a window: the limit of a recurrence plot by points.

Order: the place of a measure in rising order, counted from 0. It is found by guessing: how many pairs are not above a
guess is counted by whole vectors, and the next guess interpolates. Where a guess parts nothing, as between prices on
ticks, of which many are equally far apart, the next one is the smallest measure above it.

States of one value are sorted first: the more places two of them are apart, the larger their distance, so distant pairs
need not be looked at, and none is stored. Meanwhile the memory of the image is fetched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.images._ahead import LINE_BYTES, MOST_BYTES, fetch
from triptych.images._cpu import kernel
from triptych.images._ranks import rank_values
from triptych.images._selection import select

Array = NDArray[Any]

BLOCK = 128
"""Values that are looked at together."""
FEW = 16
"""Candidates that are sorted out one by one."""
ASIDE = 4
"""Orders that a guess aims beside the wanted one, at least, so that next time it is known from both sides."""
SORTING = 2
"""This part of the memory, a half, is fetched while values are sorted, the rest while pairs are counted."""
LINES = 8
"""Of the rest, for each number of places that pairs are apart."""
MOST_GUESSES = 60
"""Enough where measures differ by many powers of ten; then what is left is sorted out."""


@kernel
def ordered_distance(values: Array, rising: Array, reaches: Array, memory: Array, order: int) -> Any:
    """The distance of this order among those of all pairs of values.

    Args:
        values: shape (values,).
        rising: of the same shape, to work in.
        reaches: uint32 of shape (2, values), to work in.
        memory: to work in, a place for every pair at least; it is fetched meanwhile.
        order: of the wanted distance.
    """
    ahead = min(len(memory), MOST_BYTES // memory.itemsize) // SORTING
    _sort(values, rising, reaches, memory[:ahead])
    pairs = len(values) * (len(values) - 1) // 2
    return _ordered(rising, pairs, order, rising[-1] - rising[0], True, reaches, memory, ahead)


@kernel
def ordered_square(states: Array, reaches: Array, memory: Array, order: int) -> Any:
    """The square of the distance of this order among those of all pairs of states of several values.

    Args:
        states: shape (dimension, twice the states), going round the circle of states twice.
        reaches: as for `ordered_distance`.
        memory: to work in, two places for every pair at least.
        order: of the wanted square.
    """
    side = states.shape[1] // 2
    pairs = side * (side - 1) // 2
    _measure_pairs(states, memory, pairs)
    squares = memory[:pairs]
    return _ordered(squares, pairs, order, _largest(squares), False, reaches, memory[pairs : 2 * pairs], pairs)


@kernel
def _ordered(
    values: Array, pairs: int, order: int, high: Any, are_states: bool, reaches: Array, memory: Array, ahead: int
) -> Any:
    """The measure of this order; none is above `high`.

    It is kept between `low`, which at most `order` measures reach, and `high`, which more do, until few are left
    between them; those are gathered in `memory`.

    Args:
        values: with `are_states` the states in rising order, else the measures of all pairs, which are squares and
            spread like distances when their root is taken.
        pairs: how many there are.
        order: of the wanted measure.
        high: the largest measure.
        are_states: what `values` are.
        reaches: to work in, for states.
        memory: a place for every pair.
        ahead: how much of it is fetched.
    """
    real = values.dtype.type
    low = real(-1)
    within_low, within_high = 0, pairs
    halve = False
    for _ in range(MOST_GUESSES):
        left = within_high - within_low
        if left <= FEW:
            break
        floor, share = max(low, real(0)), real(_share(within_low, order, within_high, halve))
        if are_states:
            guess = floor + share * (high - floor)
        else:
            guess = (np.sqrt(floor) + share * (np.sqrt(high) - np.sqrt(floor))) ** 2
        within = within_high
        if guess < high:
            within, ahead = _count_within(values, guess, are_states, memory, ahead)
        if within <= within_low or within == within_high:
            if within <= within_low:
                low = max(low, guess)
            else:
                high = min(high, guess)
            guess = _next_distance(values, low, reaches) if are_states else _next_value(values, low, high)
            within, ahead = _count_within(values, guess, are_states, memory, ahead)
            if within > order:
                return guess
        if within > order:
            high, within_high = guess, within
        else:
            low, within_low = guess, within
        # Interpolation is slow where values crowd together: after a poor guess the interval is halved.
        halve = not halve and 2 * (within_high - within_low) > left
    filled = _gather_pairs(values, low, high, reaches, memory) if are_states else _gather(values, low, high, memory)
    return select(memory[:filled], order - within_low)


@kernel
def _share(within_low: int, order: int, within_high: int, halve: bool) -> float:
    """Where between two bounds the next guess is made: a little beyond the order where only one of them is near it."""
    if halve:
        return 0.5
    below, above = order - within_low, within_high - order
    aim = order + 0.5
    if 4 * above < below:
        aim = order - max(ASIDE, above / 2)
    elif 4 * below < above:
        aim = order + max(ASIDE, below / 2)
    return (aim - within_low) / (within_high - within_low)


@kernel
def _sort(values: Array, rising: Array, reaches: Array, coming: Array) -> None:
    ranks, taken = reaches[0], reaches[1]
    taken[:] = 0
    rank_values(values, ranks, coming)
    for t in range(len(values)):
        rising[ranks[t] + taken[ranks[t]]] = values[t]  # equal values share a rank
        taken[ranks[t]] += 1


@kernel
def _count_within(values: Array, high: Any, are_states: bool, coming: Array, ahead: int) -> tuple[int, int]:
    """How many measures are not above `high`, and how much of `coming` is fetched by then."""
    if are_states:
        return _count_pairs(values, high, coming, ahead)
    return _count(values, high), ahead


@kernel
def _count_pairs(rising: Array, high: Any, coming: Array, ahead: int) -> tuple[int, int]:
    """The same of the distances of pairs of values in rising order."""
    count = 0
    line, end = LINE_BYTES // coming.itemsize, min(len(coming), MOST_BYTES // coming.itemsize)
    for apart in range(1, len(rising)):
        for place in range(ahead, min(ahead + LINES * line, end), line):
            fetch(coming, place)
        ahead += LINES * line
        within = _count_differences(rising[apart:], rising[: len(rising) - apart], high)
        if within == 0:  # the further apart in the order, the further apart in value
            break
        count += within
    return count, ahead


@kernel
def _count_differences(above: Array, below: Array, high: Any) -> Any:
    count = np.uint32(0)
    for i in range(len(above)):
        count = np.uint32(count + np.uint32(above[i] - below[i] <= high))
    return np.int64(count)


@kernel
def _next_distance(rising: Array, low: Any, reaches: Array) -> Any:
    """The smallest distance above `low` of pairs of values in rising order; there is one."""
    reach = reaches[0]
    _find_reach(rising, low, reach)
    smallest = rising[-1] - rising[0]
    for i in range(len(rising)):
        j = i + np.int64(reach[i]) + 1
        if j < len(rising):
            smallest = min(smallest, rising[j] - rising[i])
    return smallest


@kernel
def _find_reach(rising: Array, high: Any, reach: Array) -> None:
    """Set `reach` to how many later values are not more than `high` above each, of values in rising order."""
    reach[:] = 0
    for apart in range(1, len(rising)):
        above, below = rising[apart:], rising[: len(rising) - apart]
        count = np.uint32(0)
        for i in range(len(above)):
            is_within = np.uint32(above[i] - below[i] <= high)
            reach[i] = np.uint32(reach[i] + is_within)
            count = np.uint32(count + is_within)
        if count == 0:
            break


@kernel
def _gather_pairs(rising: Array, low: Any, high: Any, reaches: Array, candidates: Array) -> int:
    """Put distances of pairs above `low` and not above `high` into `candidates`, and say how many they are."""
    first, last = reaches[0], reaches[1]
    _find_reach(rising, low, first)
    _find_reach(rising, high, last)
    filled = 0
    for i in range(len(rising)):
        for k in range(np.int64(first[i]) + 1, np.int64(last[i]) + 1):
            candidates[filled] = rising[i + k] - rising[i]
            filled += 1
    return filled


@kernel
def _measure_pairs(states: Array, memory: Array, pairs: int) -> None:
    """Fill the first `pairs` places of `memory` with the squares of the distances of all pairs.

    Each state is paired with the one that comes so many places later in a circle of the states, which makes all rows
    but one equally long. `states`, of shape (dimension, twice the states), goes round the circle twice.
    """
    side = states.shape[1] // 2
    for lag in range(1, side // 2 + 1):
        filled = (lag - 1) * side
        row, here, there = memory[filled : min(filled + side, pairs)], states[0], states[0, lag:]
        for j in range(len(row)):
            difference = here[j] - there[j]
            row[j] = difference * difference
        for k in range(1, len(states)):
            here, there = states[k], states[k, lag:]
            for j in range(len(row)):
                difference = here[j] - there[j]
                row[j] += difference * difference


@kernel
def _largest(values: Array) -> Any:
    """The largest value; kept apart for the places of a block, so that vectors of them are compared."""
    largest = np.full(BLOCK, values[0], values.dtype)
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        for k in range(len(block)):
            largest[k] = block[k] if block[k] > largest[k] else largest[k]
    return largest.max()


@kernel
def _next_value(values: Array, low: Any, high: Any) -> Any:
    """The smallest value above `low`, where one is that is not above `high`."""
    smallest = np.full(BLOCK, high, values.dtype)
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        for k in range(len(block)):
            smallest[k] = block[k] if (low < block[k]) & (block[k] < smallest[k]) else smallest[k]
    return smallest.min()


@kernel
def _gather(values: Array, low: Any, high: Any, candidates: Array) -> int:
    """Put values above `low` and not above `high` into `candidates`, and say how many they are."""
    filled = 0
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        count = np.uint32(0)
        for k in range(len(block)):
            count = np.uint32(count + np.uint32((low < block[k]) & (block[k] <= high)))
        if count > 0:
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
