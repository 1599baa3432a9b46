"""Compiled kernel of the volume profile: does what `volume_profile.py` does with tensors, touching only the rows that a
candle spans."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from triptych.images._cpu import kernel

Array = NDArray[Any]


@kernel
def draw_profiles(
    first: int, end: int, window: Array, image: Array, heat: bool, full_color_px: float, thin_px: float,
    column_start: Array, column_end: Array, sharing: Array, profile: Array, grown: Array, column: Array,
) -> None:  # fmt: skip
    """Fill `image[first:end]`, an array of shape (batch, 1 or 2, height, width).

    Args:
        first, end: the windows to draw.
        window: array of shape (batch, time, 5).
        image: of the same dtype.
        heat: whether columns are moments of the growing profile; else rows are bars.
        thin_px: least range of a candle in rows.
        full_color_px: body in rows at which all volume of a candle counts for its direction.
        column_start, column_end: candles that column c averages, int64 of shape (width,).
        sharing: their weights, float32 of shape (time, width).
        profile, grown, column: memory to work in, float64: of shape (sides, height) and, for a growing profile,
            (sides, time, height) and (width, height); else without elements.
    """
    sides, height, width = image.shape[1:]
    for b in range(first, end):
        profile[:] = 0
        _grow(window[b], profile, grown, full_color_px, thin_px)
        largest = 0.0
        for r in range(height):
            total = profile[0, r] if sides == 1 else profile[0, r] + profile[1, r]
            largest = max(largest, total)
        unit = 1.0 / largest if largest > 0 else 1.0
        if not heat:
            _draw_bars(profile, unit, image[b])
            continue
        for side in range(sides):
            for c in range(width):
                column[c] = 0
                for t in range(column_start[c], column_end[c]):
                    weight = sharing[t, c] * unit
                    for r in range(height):
                        column[c, r] += grown[side, t, r] * weight
            for r in range(height):
                row = image[b, side, r]
                for c in range(width):
                    row[c] = min(max(column[c, r], 0.0), 1.0)  # weights of candles are rounded


@kernel
def _grow(window: Array, profile: Array, grown: Array, full_color_px: float, thin_px: float) -> None:
    """Add the candles' volumes to `profile`, (sides, rows); keep it after every candle in `grown` unless that is
    empty."""
    sides, height = profile.shape
    low, high, most = window[0, 2], window[0, 1], window[0, 4]
    for t in range(len(window)):
        low, high, most = min(low, window[t, 2]), max(high, window[t, 1]), max(most, window[t, 4])
    number = window.dtype.type  # places are rounded as the tensors round them; sums are kept in double precision
    rows, half_row, one = number(height), number(0.5), number(1)
    span = high - low
    unit = most if most > 0 else one
    for t in range(len(window)):
        opening, top, bottom, close = rows * half_row, rows * half_row, rows * half_row, rows * half_row
        if span > 0:
            opening = (one - (window[t, 0] - low) / span) * rows
            top = (one - (window[t, 1] - low) / span) * rows
            bottom = (one - (window[t, 2] - low) / span) * rows
            close = (one - (window[t, 3] - low) / span) * rows
        spread = max(bottom - top, number(thin_px))
        start = min(max(top - (spread - (bottom - top)) / number(2), number(0)), rows - spread)
        volume = window[t, 4] / unit
        up_share = one
        if sides == 2:
            up_share = min(max(half_row + (opening - close) / number(2 * full_color_px), number(0)), one)
        above = number(0)
        for r in range(int(start), min(int(start + spread) + 1, height)):
            share = min(max((number(r + 1) - start) / spread, number(0)), one)
            profile[0, r] += (share - above) * (volume * up_share)
            if sides == 2:
                profile[1, r] += (share - above) * (volume * (one - up_share))
            above = share
        if grown.size:
            grown[:, t] = profile


@kernel
def _draw_bars(profile: Array, unit: float, image: Array) -> None:
    """One bar a row, its sides one behind the other."""
    sides, height, width = image.shape
    scale = unit * width
    for r in range(height):
        start = 0.0
        for side in range(sides):
            stop = start + profile[side, r] * scale
            row = image[side, r]
            for c in range(width):
                row[c] = min(max(stop - c, 0.0), 1.0) - min(max(start - c, 0.0), 1.0)
            start = stop
