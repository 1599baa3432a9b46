"""The encodings of order books drawn by compiled loops: one pass over a window, level by level.

The same arithmetic as the plain paths in `depth_heatmap.py` and `book_imbalance.py`, and where rows are found in the
precision of the window too: a big order close to the middle of a row would show any difference. See there for what is
drawn. Memory that a window needs on the way is given by the caller.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from triptych.images._cpu import kernel
from triptych.images._selection import select


def constants_of(dtype: Any, *, tick_size: float, edge: float, height: int) -> tuple[Any, ...]:
    """The numbers that the kernel calculates with: `edge` is the distance of the outermost rows, 0 if not fixed."""
    return tuple(dtype.type(x) for x in (0, 0.5, 2, 1e4, tick_size, edge, math.inf, height - 1, (height - 1) / 2))


@kernel
def draw_depth(  # type: ignore[no-untyped-def]
    first, end, window, image, levels, in_ticks, constants, is_last, is_signed, beyond, averaging, memory
) -> None:
    """Draw windows first .. end - 1.

    Args:
        first, end: share of the batch.
        window: array of shape (batch, time, 4 * levels).
        image: array of shape (batch, channels, height, width) to fill.
        levels: levels a side.
        in_ticks: rows in ticks instead of basis points.
        constants: see `constants_of`; of the dtype of the window, so that no number is widened.
        is_last: the rows are measured from the mid of the last book, else each book from its own.
        is_signed: one channel, else two.
        beyond: ten-thousandths of the levels that have full intensity.
        averaging: array of shape (time, width), or of no columns when a column is a book.
        memory: arrays to work in: distances of the dtype of the window, sizes in float64, and whether there is a level,
            bool, each of shape (time, 2 * levels); sizes once more, of shape (time * 2 * levels,); depth, float64 of
            shape (2, height, time).
    """
    distance, sizes, present, there, depth = memory
    zero, half_one, two, edge, rows, middle_row = (
        constants[0], constants[1], constants[2], constants[5], constants[7], constants[8],
    )  # fmt: skip
    for b in range(first, end):
        low, high, found = _take_levels(  # type: ignore[no-untyped-call]
            window[b], levels, in_ticks, constants, is_last, distance, sizes, present, there
        )
        if edge > zero:
            low, high = -edge, edge
        elif low > high:
            low = high = zero
        elif not is_last:
            high = max(-low, high)
            low = -high
        span = high - low
        rows_per_unit = rows * (two * half_one / span) if span > zero else rows
        top = zero if span > zero else middle_row
        _spread(levels, high, rows_per_unit, top, distance, sizes, present, depth)
        median, largest = _scale(there[:found], beyond)  # type: ignore[no-untyped-call]
        _paint(image, b, depth, median, largest, averaging, is_signed)


@kernel
def _take_levels(  # type: ignore[no-untyped-def]
    rows, levels, in_ticks, constants, is_last, distance, sizes, present, there
):
    """Fill distances, sizes and presence of a window's levels, and `there` with sizes above 0.

    Returns the lowest and the highest distance (infinity and minus infinity without any level), and how many sizes.
    """
    zero, half_one, two, per_bp, tick_size, infinity = (
        constants[0], constants[1], constants[2], constants[3], constants[4], constants[6],
    )  # fmt: skip
    last = _last_priced(rows, levels)  # type: ignore[no-untyped-call]
    low, high, found = infinity, -infinity, 0
    for t in range(len(rows)):
        base, half, is_bid = _anchor(rows[last if is_last else t], levels, constants)  # type: ignore[no-untyped-call]
        middle = np.floor(np.rint(two * half / tick_size) / two) if is_bid else zero - (two * half_one)
        for k in range(2 * levels):
            column = k if k < levels else k + levels
            price, size = rows[t, column], rows[t, column + levels]
            present[t, k] = not math.isnan(price + size)
            if not present[t, k]:
                continue
            if in_ticks:
                away = np.rint((price - base) / tick_size) - middle - half_one
            else:
                away = ((price - base) - half) / (base + half) * per_bp
            distance[t, k], sizes[t, k] = away, size
            low, high = min(low, away), max(high, away)
            if size > zero:
                there[found] = size
                found += 1
    return low, high, found


@kernel
def _spread(levels, high, rows_per_unit, top, distance, sizes, present, depth) -> None:  # type: ignore[no-untyped-def]
    """Fill `depth`: every level is shared between the two nearest rows."""
    height = depth.shape[1]
    depth[:] = 0.0
    for t in range(len(distance)):
        for k in range(2 * levels):
            if present[t, k]:
                row = (high - distance[t, k]) * rows_per_unit + top
                if -1.0 < row < height:
                    above = int(np.floor(row))
                    share, side = float(row) - above, 0 if k < levels else 1
                    if above >= 0:
                        depth[side, above, t] += sizes[t, k] * (1.0 - share)
                    if above + 1 < height:
                        depth[side, above + 1, t] += sizes[t, k] * share


@kernel
def _paint(image, b, depth, median, largest, averaging, is_signed) -> None:  # type: ignore[no-untyped-def]
    """Fill image b with the logarithms of `depth`, brought to the width of the image."""
    full = math.log1p(largest / median)
    _, height, count = depth.shape
    for row in range(height):
        for t in range(count):
            for side in range(2):
                value = depth[side, row, t]
                if value > 0.0:
                    depth[side, row, t] = min(1.0, math.log1p(value / median) / full)
        for column in range(image.shape[3]):
            bid = ask = 0.0
            if averaging.shape[1] == 0:
                bid, ask = depth[0, row, column], depth[1, row, column]
            else:
                for t in range(count):
                    bid += depth[0, row, t] * averaging[t, column]
                    ask += depth[1, row, t] * averaging[t, column]
            if is_signed:
                image[b, 0, row, column] = 0.5 + (bid - ask) / 2.0
            else:
                image[b, 0, row, column] = bid
                image[b, 1, row, column] = ask


@kernel
def _last_priced(rows, levels):  # type: ignore[no-untyped-def]
    """The last row with a best bid or a best ask; 0 where none has."""
    for t in range(len(rows) - 1, 0, -1):
        if not (math.isnan(rows[t, 0] + rows[t, levels]) and math.isnan(rows[t, 2 * levels] + rows[t, 3 * levels])):
            return t
    return 0


@kernel
def _anchor(row, levels, constants):  # type: ignore[no-untyped-def]
    """The price from which a row is measured, as base and half, and whether the base is a bid."""
    zero, half_one, two = constants[0], constants[1], constants[2]
    bid, ask = row[0], row[2 * levels]
    has_bid = not math.isnan(bid + row[levels])
    has_ask = not math.isnan(ask + row[3 * levels])
    if has_bid:
        return bid, ((ask - bid) / two if has_ask else zero), True
    return (ask if has_ask else two * half_one), zero, False


@kernel
def _scale(sizes, beyond):  # type: ignore[no-untyped-def]
    """The median, and the size beyond which lie `beyond` ten-thousandths; reorders them."""
    if len(sizes) == 0:
        return 1.0, 1.0
    last = len(sizes) - 1
    middle, rank = last - last * 5_000 // 10_000, last - last * beyond // 10_000
    high = select(sizes, rank)
    # What lies before the rank is not above it now.
    return select(sizes[: rank + 1], middle), high


@kernel
def draw_imbalance(  # type: ignore[no-untyped-def]
    first, end, window, image, levels, per_row, level_averaging, time_averaging, memory
) -> None:
    """Draw windows first .. end - 1.

    Args:
        first, end: share of the batch.
        window: array of shape (batch, time, 4 * levels).
        image: array of shape (batch, 1, height, width) to fill.
        levels: levels a side.
        per_row: basis points in a row, of the dtype of the window; 0: rows are levels.
        level_averaging: array of shape (levels, height), or of no columns when a row is what is counted in.
        time_averaging: array of shape (time, width), or of no columns when a column is a book.
        memory: float64 arrays to work in: bids and asks of shape (2, larger of levels and height), shares of shape
            (time, larger of levels and height), and once more of shape (time, height).
    """
    count, (height, width) = window.shape[1], image.shape[2:]
    sides, shares, rows = memory
    depth = height if per_row > 0 else levels
    for b in range(first, end):
        for t in range(count):
            sides[:, :depth] = 0.0
            if per_row > 0:
                _sizes_by_row(window[b, t], levels, per_row, depth, sides)  # type: ignore[no-untyped-call]
            else:
                for k in range(levels):
                    for side in range(2):
                        price, size = window[b, t, 2 * side * levels + k], window[b, t, (2 * side + 1) * levels + k]
                        if not math.isnan(price + size):
                            sides[side, k] = size
            bids = asks = 0.0
            for row in range(depth):
                bids += sides[0, row]
                asks += sides[1, row]
                total = bids + asks
                shares[t, row] = bids / total if total > 0.0 else 0.5
        source = shares
        if level_averaging.shape[1]:
            source = rows
            for t in range(count):
                for row in range(height):
                    mean = 0.0
                    for k in range(levels):
                        mean += shares[t, k] * level_averaging[k, row]
                    rows[t, row] = mean
        for row in range(height):
            for column in range(width):
                if time_averaging.shape[1]:
                    mean = 0.0
                    for t in range(count):
                        mean += source[t, row] * time_averaging[t, column]
                    image[b, 0, row, column] = min(max(mean, 0.0), 1.0)
                else:
                    image[b, 0, row, column] = min(max(source[column, row], 0.0), 1.0)


@kernel
def _sizes_by_row(row, levels, per_row, height, sides):  # type: ignore[no-untyped-def]
    """Add the sizes of one book up by their distance from its mid; a level between two rows is shared."""
    number = row.dtype.type
    zero, two = number(0), number(2)
    has_bid = not math.isnan(row[0] + row[levels])
    has_ask = not math.isnan(row[2 * levels] + row[3 * levels])
    base = row[0] if has_bid else row[2 * levels] if has_ask else number(1)
    half = (row[2 * levels] - base) / two if has_bid and has_ask else zero
    for k in range(levels):
        for side in range(2):
            price, size = row[2 * side * levels + k], row[(2 * side + 1) * levels + k]
            if math.isnan(price + size):
                continue
            away = ((price - base) - half) / (base + half) * number(1e4)
            place = (away if side else -away) / per_row
            if -1.0 < place < height:
                above = int(np.floor(place))
                share = float(place) - above
                if above >= 0:
                    sides[side, above] += size * (1.0 - share)
                if above + 1 < height:
                    sides[side, above + 1] += size * share
