"""Charts drawn by a compiled loop: row by row, every pixel computed and written once.

The arithmetic is that of `_geometry.py`, operation by operation and in the same precision, so that both paths round a
price to the same place; only the last digit of a colour may differ. A pixel costs its store and two vector instructions
or so, hence a chart takes little more time than its bytes take to be written. Drawing only the pixels that candles
touch, on a background filled before, was measured too: not faster, and slower the more the candles overlap. Nor is
leaving out empty blocks of columns, since a loop that begins in the middle of a row is no longer made of vectors. A
batch that is larger than the caches takes as long as main memory takes to fill: 64 charts of 224 x 224 are 38 MB, and
stores that pass the caches by were slower still (7 GB/s against 10).

An innermost loop writes one array and reads few: with more of them the compiler would have to rule out too many
overlaps to use vector instructions. Nor are rows taken out as arrays of their own (`image[b, c, row]`): counting their
references would cost as much as filling them.

Letters: b window, t candle, x column, c colour, i moving average.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.images._chart_plan import CandlestickPlan, JkxPlan, LinePlan
from triptych.images._cpu import kernel

Array = NDArray[Any]

OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)


@kernel
def draw_candlesticks(first: int, end: int, window: Array, image: Array, plan: CandlestickPlan) -> None:
    """Draw windows first .. end, shape (batch, time, 5), into images, shape (batch, 3, height, width); see `_cpu`."""
    real = image.dtype.type
    length, width = window.shape[1], image.shape[3]
    y = np.empty((4, length), image.dtype)
    candles = np.empty((8, length), image.dtype)
    strokes = np.empty((8, width), image.dtype)
    ink = np.empty(width, image.dtype)
    points = np.empty(length, image.dtype)
    edges = np.empty(width + 1, image.dtype)
    for b in range(first, end):
        _pixel_rows(window, b, y, real(plan.price_rows))
        _candle_strokes(window, b, y, candles, plan)
        _columns(candles, strokes, plan)
        _candle_rows(image, b, strokes, ink, plan)
        for i in range(len(plan.periods)):
            n_points = _means(y, plan.periods[i], points)
            _edges(points, n_points, edges, plan.lines, i)
            _average_line(image, b, edges, plan, i)


@kernel
def draw_jkx(first: int, end: int, window: Array, image: Array, plan: JkxPlan) -> None:
    """Draw windows first .. end, shape (batch, time, 5), into images, shape (batch, 1, height, width); see `_cpu`."""
    real = image.dtype.type
    length, width = window.shape[1], image.shape[3]
    y = np.empty((4, length), image.dtype)
    # Middle and reach of the candle's and of the line's pen, size of the bar; a reach of 0 draws nothing.
    pen = np.zeros((5, width), image.dtype)
    points = np.empty(length, image.dtype)
    edges = np.empty(width + 1, image.dtype)
    for b in range(first, end):
        _pixel_rows(window, b, y, real(plan.price_rows - 1))
        largest = _largest_volume(window, b)
        for t in range(length):
            _hold_pen(pen, 0, 3 * t, y[OPEN, t], y[OPEN, t], plan)
            _hold_pen(pen, 0, 3 * t + 1, y[HIGH, t], y[LOW, t], plan)
            _hold_pen(pen, 0, 3 * t + 2, y[CLOSE, t], y[CLOSE, t], plan)
            size = window[b, t, VOLUME] / largest * real(plan.volume_rows)
            pen[4, 3 * t + 1] = _snap(size, plan)
        if len(plan.lines.drawn):
            _means_so_far(y, points)
            _edges(points, length, edges, plan.lines, 0)
            for x in range(width):
                if plan.lines.drawn[0, x]:
                    _hold_pen(pen, 2, x, min(edges[x], edges[x + 1]), max(edges[x], edges[x + 1]), plan)
        _pen_rows(image, b, pen, plan)


@kernel
def _pixel_rows(window: Array, b: int, y: Array, rows: Any) -> None:
    """Prices as pixels from the top of an area of `rows`, shape (4, time)."""
    real = y.dtype.type
    low, high = window[b, 0, LOW], window[b, 0, HIGH]
    for t in range(y.shape[1]):
        low, high = min(low, window[b, t, LOW]), max(high, window[b, t, HIGH])
    span = high - low
    for t in range(y.shape[1]):
        for field in range(4):
            share = (window[b, t, field] - low) / span if span > 0 else real(0.5)
            y[field, t] = (real(1.0) - share) * rows


@kernel
def _largest_volume(window: Array, b: int) -> Any:
    """What volumes are divided by: 1 where nothing was traded."""
    largest = window[b, 0, VOLUME]
    for t in range(1, window.shape[1]):
        largest = max(largest, window[b, t, VOLUME])
    return largest if largest > 0 else window.dtype.type(1.0)


@kernel
def _candle_strokes(window: Array, b: int, y: Array, candles: Array, plan: CandlestickPlan) -> None:
    """Of every candle: middle and reach of body and of wick, size of the bar, and three colours less the background."""
    real = y.dtype.type
    half_px, zero, one, two = real(0.5), real(0.0), real(1.0), real(2.0)
    price, intensity = real(plan.price_rows), real(plan.wick_intensity)
    largest = _largest_volume(window, b)
    for t in range(y.shape[1]):
        top, bottom = min(y[OPEN, t], y[CLOSE, t]), max(y[OPEN, t], y[CLOSE, t])
        half = max((bottom - top) / two, half_px)
        candles[0, t] = min(max((top + bottom) / two, half), price - half)
        candles[1, t] = half + half_px
        half = max((y[LOW, t] - y[HIGH, t]) / two, half_px)
        candles[2, t] = min(max((y[HIGH, t] + y[LOW, t]) / two, half), price - half) * intensity
        candles[3, t] = (half + half_px) * intensity
        candles[4, t] = window[b, t, VOLUME] / largest * real(plan.volume_rows)
        rise = (y[OPEN, t] - y[CLOSE, t]) / real(2.0 * plan.full_color_px)
        upness = min(max(half_px + rise, zero), one)
        for c in range(3):
            background, up, down = real(plan.colors[0, c]), real(plan.colors[1, c]), real(plan.colors[2, c])
            candles[5 + c, t] = down + upness * (up - down) - background


@kernel
def _columns(candles: Array, strokes: Array, plan: CandlestickPlan) -> None:
    """The same of every column; where it does not show a body or a wick, the reach is 0, and so is the gap's colour."""
    real = strokes.dtype.type
    for x in range(strokes.shape[1]):
        t = plan.candle[x]
        body, wick = real(plan.body[x]), real(plan.wick[x])
        strokes[0, x] = candles[0, t]
        strokes[1, x] = candles[1, t] * body
        strokes[2, x] = candles[2, t]
        strokes[3, x] = candles[3, t] * wick
        strokes[4, x] = candles[4, t]
        for c in range(5, 8):
            strokes[c, x] = candles[c, t] * body


@kernel
def _candle_rows(image: Array, b: int, strokes: Array, ink: Array, plan: CandlestickPlan) -> None:
    """Bodies, wicks and volume bars, on the background."""
    real = image.dtype.type
    zero, one, intensity = real(0.0), real(1.0), real(plan.wick_intensity)
    black = not plan.colors[0].any()
    for row in range(image.shape[2]):
        if row < plan.price_rows:
            middle = real(row) + real(0.5)
            dimmed = middle * intensity
            for x in range(len(ink)):
                body = min(max(strokes[1, x] - abs(middle - strokes[0, x]), zero), one)
                ink[x] = max(body, min(strokes[3, x] - abs(dimmed - strokes[2, x]), intensity))
        elif row == plan.price_rows:
            for x in range(len(ink)):
                ink[x] = zero
        else:
            rows_below = real(image.shape[2] - 1 - row)
            for x in range(len(ink)):
                ink[x] = min(max(strokes[4, x] - rows_below, zero), one)
        for c in range(3):
            if black:
                for x in range(len(ink)):
                    image[b, c, row, x] = ink[x] * strokes[5 + c, x]
            else:
                background = real(plan.colors[0, c])
                for x in range(len(ink)):
                    image[b, c, row, x] = background + ink[x] * strokes[5 + c, x]


@kernel
def _means(y: Array, period: int, points: Array) -> int:
    """Means of `period` closes, in pixels, and how many there are."""
    real = y.dtype.type
    n_points: int = y.shape[1] - period + 1
    for t in range(n_points):
        total = real(0.0)
        for k in range(period):
            total += y[CLOSE, t + k]
        points[t] = total / real(period)
    return n_points


@kernel
def _means_so_far(y: Array, points: Array) -> None:
    """Means of the closes up to every candle, summed in the order of `running_total`."""
    real = y.dtype.type
    for t in range(len(points)):
        points[t] = y[CLOSE, t]
    shift = 1
    while shift < len(points):
        for t in range(len(points) - 1, shift - 1, -1):
            points[t] += points[t - shift]
        shift *= 2
    for t in range(len(points)):
        points[t] /= real(t + 1)


@kernel
def _edges(points: Array, n_points: int, edges: Array, lines: LinePlan, i: int) -> None:
    """Where line i through the first `n_points` points is at the edges of the columns."""
    real = edges.dtype.type
    for x in range(len(edges)):
        share = real(lines.offset[i, x]) / real(lines.gap[i, x])
        before = points[min(lines.left[i, x], n_points - 1)]
        edges[x] = before + (points[min(lines.right[i, x], n_points - 1)] - before) * share


@kernel
def _average_line(image: Array, b: int, edges: Array, plan: CandlestickPlan, i: int) -> None:
    """Moving average i over what is drawn: a few pixels a column."""
    real = image.dtype.type
    half_px, two, price = real(0.5), real(2.0), real(plan.price_rows)
    for x in range(image.shape[3]):
        if not plan.lines.drawn[i, x]:
            continue
        top = min(edges[x], edges[x + 1]) - half_px
        bottom = max(edges[x], edges[x + 1]) + half_px
        half = max((bottom - top) / two, half_px)
        middle = min(max((top + bottom) / two, half), price - half)
        # One row more on either side, where rounding may leave the other path a trace of ink.
        first, end = int(middle - half) - 1, int(middle + half) + 2
        for row in range(max(first, 0), min(end, image.shape[2])):
            ink = min(max(half + half_px - abs(real(row) + half_px - middle), real(0.0)), real(1.0))
            for c in range(3):
                image[b, c, row, x] += ink * (real(plan.line_colors[i, c]) - image[b, c, row, x])


@kernel
def _hold_pen(pen: Array, first: int, x: int, highest: Any, lowest: Any, plan: JkxPlan) -> None:
    """Middle and reach of a pen, one pixel high, that moves between two rows in column x."""
    real = pen.dtype.type
    top, bottom = _snap(highest, plan), _snap(lowest, plan) + real(1.0)
    pen[first, x] = (top + bottom) / real(2.0)
    pen[first + 1, x] = (bottom - top) / real(2.0) + real(0.5)


@kernel
def _snap(row: Any, plan: JkxPlan) -> Any:
    """The nearest whole row, or the row itself when edges may be grey."""
    return row if plan.antialias else np.floor(row + type(row)(0.5))


@kernel
def _pen_rows(image: Array, b: int, pen: Array, plan: JkxPlan) -> None:
    """Candles, line and volume bars, white on black."""
    real = image.dtype.type
    zero, one = real(0.0), real(1.0)
    for row in range(image.shape[2]):
        if row < plan.price_rows:
            middle = real(row) + real(0.5)
            for x in range(pen.shape[1]):
                reach = max(pen[1, x] - abs(middle - pen[0, x]), pen[3, x] - abs(middle - pen[2, x]))
                image[b, 0, row, x] = min(max(reach, zero), one)
        elif plan.volume_rows and row == plan.price_rows:
            for x in range(pen.shape[1]):
                image[b, 0, row, x] = zero
        else:
            rows_below = real(image.shape[2] - 1 - row)
            for x in range(pen.shape[1]):
                image[b, 0, row, x] = min(max(pen[4, x] - rows_below, zero), one)
