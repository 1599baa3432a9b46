"""Book levels by a compiled loop: the arithmetic of `book_levels.py`, with memory to work in given by the caller."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.images._cpu import kernel
from triptych.images._selection import select

Array = NDArray[Any]


@kernel
def draw_scores(first: int, end: int, window: Array, image: Array, clip: float) -> None:
    """Draw windows first .. end - 1 of rows that are scores already.

    Args:
        first, end: share of the batch.
        window: array of shape (batch, time, 4 * levels).
        image: array of shape (batch, 1, time, 4 * levels) to fill.
        clip: the score that becomes 1.
    """
    levels, real = window.shape[2] // 4, window.dtype.type
    zero, one, most = real(0.0), real(1.0), real(clip)
    for b in range(first, end):
        for t in range(window.shape[1]):
            row, line = window[b, t], image[b, 0, t]
            for k in range(levels):
                for side in range(2):  # bids, then asks
                    price, size = row[2 * side * levels + k], row[(2 * side + 1) * levels + k]
                    if math.isnan(price + size):
                        price = size = zero
                    place = 4 * k + 2 - 2 * side
                    line[place] = min(max((price / most + one) / real(2.0), zero), one)
                    line[place + 1] = min(max((size / most + one) / real(2.0), zero), one)


@kernel
def draw_levels(first: int, end: int, window: Array, image: Array, reach: float, ceiling: float, there: Array) -> None:
    """Draw windows first .. end - 1, each scaled by itself.

    Args:
        first, end: share of the batch.
        window: array of shape (batch, time, 4 * levels).
        image: array of shape (batch, 1, time, 4 * levels) to fill.
        reach: distance that is the end of the range in basis points; 0: the farthest price of the window.
        ceiling: size of full intensity in median levels.
        there: array to work in, of the dtype of the window and shape (time * 2 * levels,).
    """
    levels, real = window.shape[2] // 4, window.dtype.type
    zero, one, two, full = real(0.0), real(1.0), real(2.0), math.log1p(ceiling)
    for b in range(first, end):
        base, half = _anchor(window[b], levels)
        mid, farthest, found = base + half, zero, 0
        for t in range(window.shape[1]):
            row, line = window[b, t], image[b, 0, t]
            for k in range(levels):
                for side in range(2):
                    price, size = row[2 * side * levels + k], row[(2 * side + 1) * levels + k]
                    place = 4 * k + 2 - 2 * side
                    if math.isnan(price + size):
                        line[place] = real(np.nan)
                        line[place + 1] = zero
                        continue
                    line[place] = ((price - base) - half) / mid * real(1e4)
                    line[place + 1] = size
                    farthest = max(farthest, abs(line[place]))
                    if size > zero:
                        there[found] = size
                        found += 1
        unit = real(reach) if reach > 0.0 else farthest if farthest > zero else one
        median = select(there[:found], found - 1 - (found - 1) // 2) if found else one
        for t in range(window.shape[1]):
            line = image[b, 0, t]
            for k in range(2 * levels):
                away = line[2 * k]
                if math.isnan(away):
                    line[2 * k] = zero if k % 2 else one
                else:
                    line[2 * k] = (min(max(away / unit, -one), one) + one) / two
                line[2 * k + 1] = min(math.log1p(line[2 * k + 1] / median) / full, 1.0)


@kernel
def _anchor(rows: Array, levels: int) -> tuple[Any, Any]:
    """The mid of the last row that has a price, as base and half; with one side alone its best price, else 1."""
    real = rows.dtype.type
    for t in range(len(rows) - 1, -1, -1):
        bid, ask = rows[t, 0], rows[t, 2 * levels]
        has_bid = not math.isnan(bid + rows[t, levels])
        has_ask = not math.isnan(ask + rows[t, 3 * levels])
        if has_bid:
            return bid, (ask - bid) / real(2.0) if has_ask else real(0.0)
        if has_ask:
            return ask, real(0.0)
    return real(1.0), real(0.0)
