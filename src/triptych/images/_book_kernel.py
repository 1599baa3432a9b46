"""The depth heatmap drawn by a compiled loop: one pass over a window, level by level, nothing kept in between.

The same arithmetic as the plain path in `depth_heatmap.py`, in double precision; see there for what is drawn.
"""

from __future__ import annotations

import math

import numpy as np

from triptych.images._cpu import kernel


@kernel
def draw_depth(  # type: ignore[no-untyped-def]
    first, end, window, image, levels, in_ticks, tick_size, reach, is_last, is_signed, beyond, averaging
) -> None:
    """Draw windows first .. end - 1.

    Args:
        first, end: share of the batch.
        window: array of shape (batch, time, 4 * levels).
        image: array of shape (batch, channels, height, width) to fill.
        levels: levels a side.
        in_ticks, tick_size: rows in ticks instead of basis points, and their size.
        reach: of the image to either side of its middle, 0 for the window's own levels.
        is_last: the rows are measured from the mid of the last book, else each book from its own.
        is_signed: one channel, else two.
        beyond: ten-thousandths of the levels that have full intensity.
        averaging: array of shape (time, width), or of no columns when a column is a book.
    """
    count, (height, width) = window.shape[1], image.shape[2:]
    distance, sizes = np.empty((count, 2 * levels)), np.empty((count, 2 * levels))
    there, present = np.empty(count * 2 * levels), np.zeros((count, 2 * levels), np.bool_)
    depth = np.empty((2, height, count))
    for b in range(first, end):
        last = 0
        for t in range(count):
            if not math.isnan(window[b, t, 0] + window[b, t, levels]) or not math.isnan(
                window[b, t, 2 * levels] + window[b, t, 3 * levels]
            ):
                last = t
        low, high, found = np.inf, -np.inf, 0
        for t in range(count):
            base, half, is_bid = _anchor(window[b, last if is_last else t], levels)
            middle = math.floor(np.rint(2.0 * half / tick_size) / 2.0) if is_bid else -1.0
            for k in range(2 * levels):
                column = k if k < levels else k + levels
                price, size = float(window[b, t, column]), float(window[b, t, column + levels])
                present[t, k] = not math.isnan(price + size)
                if not present[t, k]:
                    continue
                if in_ticks:
                    away = np.rint((price - base) / tick_size) - middle - 0.5
                else:
                    away = ((price - base) - half) / (base + half) * 1e4
                distance[t, k], sizes[t, k] = away, size
                low, high = min(low, away), max(high, away)
                if size > 0.0:
                    there[found] = size
                    found += 1
        if reach > 0.0:
            high = reach * (1.0 - 1.0 / height)
            low = -high
        elif low > high:
            low = high = 0.0
        elif not is_last:
            high = max(-low, high)
            low = -high
        span = high - low
        rows_per_unit = (height - 1) / span if span > 0.0 else float(height - 1)
        top = 0.0 if span > 0.0 else (height - 1) / 2.0
        depth[:] = 0.0
        for t in range(count):
            for k in range(2 * levels):
                if present[t, k]:
                    row = (high - distance[t, k]) * rows_per_unit + top
                    if -1.0 < row < height:
                        above = math.floor(row)
                        share, side = row - above, 0 if k < levels else 1
                        if above >= 0:
                            depth[side, int(above), t] += sizes[t, k] * (1.0 - share)
                        if above + 1 < height:
                            depth[side, int(above) + 1, t] += sizes[t, k] * share
        median, largest = _scale(there[:found], beyond)
        full = math.log1p(largest / median)
        for row in range(height):
            for t in range(count):
                for side in range(2):
                    value = depth[side, row, t]
                    if value > 0.0:
                        depth[side, row, t] = min(1.0, math.log1p(value / median) / full)
            for column in range(width):
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
def _anchor(row, levels):  # type: ignore[no-untyped-def]
    """The price from which a row is measured, as base and half, and whether the base is a bid."""
    bid, ask = float(row[0]), float(row[2 * levels])
    has_bid = not math.isnan(bid + row[levels])
    has_ask = not math.isnan(ask + row[3 * levels])
    if has_bid:
        return bid, ((ask - bid) / 2.0 if has_ask else 0.0), True
    return (ask if has_ask else 1.0), 0.0, False


@kernel
def _scale(sizes, beyond):  # type: ignore[no-untyped-def]
    """The median, and the size beyond which lie `beyond` ten-thousandths."""
    if len(sizes) == 0:
        return 1.0, 1.0
    last = len(sizes) - 1
    middle, rank = last - last * 5_000 // 10_000, last - last * beyond // 10_000
    high = np.partition(sizes, rank)
    return np.partition(high[: rank + 1], middle)[middle] if middle < rank else high[rank], high[rank]
