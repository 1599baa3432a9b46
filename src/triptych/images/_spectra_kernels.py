"""The spectrogram and the scalogram by compiled loops: from a series to the image, in memory that is there.

A spectrogram is computed in double precision, a scalogram in that of its windows: single precision halves the time of
its many products, and is as exact as the same products of tensors.

The arithmetic is that of `spectrogram.py`, `scalogram.py` and `_spectra.py`. A product with cosines is a sum over
frequencies or candles of whole rows, four of them a pass: the compiler turns the innermost loop, over time, into vector
instructions. Waves of a scalogram are even or odd around the middle of the window, so half of it is enough.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from triptych.images._cpu import as_array, fusing_kernel, kernel

Array = NDArray[Any]
ROWS = 4
"""That are added in a pass; sums are over multiples of it."""
MAGNITUDE, POWER, DECIBELS = range(3)
KINDS = {"magnitude": MAGNITUDE, "power": POWER, "decibels": DECIBELS}
"""What a pixel shows, as kernels are told it."""


class Taps(NamedTuple):
    """How pixels become others along one side: first old pixel of each new one, and the weights from there on.

    Shapes: (new,) int64 and (new, most weights) floating; of no weights where nothing changes.
    """

    start: NDArray[np.int64]
    weight: NDArray[Any]

    def in_single_precision(self) -> Taps:
        """The same with weights of float32."""
        return Taps(self.start, self.weight.astype(np.float32))

    @classmethod
    def of(cls, buffer: Tensor, changes: bool) -> Taps:
        """From what `Resize` holds for a side: places of nearest pixels, or weights of shape (new, old)."""
        places = as_array(buffer)
        if not changes:
            return cls(np.empty(0, np.int64), np.empty((0, 0)))
        if places.ndim == 1:
            return cls(places.astype(np.int64), np.ones((len(places), 1)))
        first = (places > 0).argmax(axis=1)
        most = int((places > 0).sum(axis=1).max())
        start = np.minimum(first, places.shape[1] - most)
        weight = np.take_along_axis(places, start[:, None] + np.arange(most), axis=1)
        return cls(start.astype(np.int64), weight.astype(np.float64))


@fusing_kernel
def draw_scalograms(
    first: int, end: int, series: Array, image: Array, memory: tuple[Array, ...], analysis: Array, responses: Array,
    waves: Array, bands: Array, kind: int, floor: float, rows: Taps, columns: Taps,
) -> None:  # fmt: skip
    """Draw series first .. end - 1; all arrays of numbers are of one dtype, in which everything is computed.

    Args:
        first, end: share of the batch.
        series: of shape (N, time).
        image: of shape (N, height, width), to fill.
        memory: to work in: of shape (frequencies,), (2, 2, half of the time rounded up), (scales, time),
            (scales, width).
        analysis: of shape (time, frequencies).
        responses: of shape (parts, scales, frequencies).
        waves: their first half in time, of shape (parts, frequencies, half of the time rounded up).
        bands: of every two scales, the last two if their number is odd, the first frequency and the one after the last
            among the first half of the frequencies, and the same among the second, int64 of shape (pairs, 4). Waves of
            the first half of the frequencies are the same on both sides of the middle (cosines; sines but for their
            sign), those of the second opposite.
        kind, floor: what a pixel shows; share of the largest power that is 0 in decibels.
        rows, columns: how the image gets its size.
    """
    held, parts, power, narrow = memory
    for n in range(first, end):
        held[:] = 0
        for t in range(series.shape[1]):
            for k in range(len(held)):
                held[k] += series[n, t] * analysis[t, k]
        for pair in range(len(bands)):
            s = min(2 * pair, len(power) - 2)
            power[s] = 0
            power[s + 1] = 0
            for p in range(len(waves)):
                parts[:] = 0
                for half in range(2):
                    _add_two(
                        parts[0, half], parts[1, half], held, responses[p, s], responses[p, s + 1], waves[p],
                        bands[pair, 2 * half], bands[pair, 2 * half + 1],
                    )  # fmt: skip
                for i in range(2):
                    even, odd, row = parts[i, 0], parts[i, 1], power[s + i]
                    for t in range(len(even)):
                        row[t] += (even[t] + odd[t]) ** 2
                    for t in range(len(row) - len(even)):
                        row[len(row) - 1 - t] += (even[t] - odd[t]) ** 2
        _show(power, image[n], kind, floor, rows, columns, narrow)


@fusing_kernel
def _add(total: Array, a: Array, b: Array, rows: Array, first: int, end: int) -> None:
    """Add a[k] * b[k] * rows[k] for all k from `first` up to `end`, a multiple of `ROWS` further on."""
    for k in range(first, end, ROWS):
        amount_0, amount_1, amount_2, amount_3 = (
            a[k] * b[k], a[k + 1] * b[k + 1], a[k + 2] * b[k + 2], a[k + 3] * b[k + 3]
        )  # fmt: skip
        row_0, row_1, row_2, row_3 = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
        for t in range(len(total)):
            total[t] += amount_0 * row_0[t] + amount_1 * row_1[t] + amount_2 * row_2[t] + amount_3 * row_3[t]


@fusing_kernel
def _add_two(
    total: Array, other_total: Array, a: Array, b: Array, other_b: Array, rows: Array, first: int, end: int
) -> None:
    """`_add` with two second factors at once: rows are read once for both."""
    for k in range(first, end, ROWS):
        amount_0, amount_1, amount_2, amount_3 = (
            a[k] * b[k], a[k + 1] * b[k + 1], a[k + 2] * b[k + 2], a[k + 3] * b[k + 3]
        )  # fmt: skip
        other_0, other_1, other_2, other_3 = (
            a[k] * other_b[k], a[k + 1] * other_b[k + 1], a[k + 2] * other_b[k + 2], a[k + 3] * other_b[k + 3]
        )  # fmt: skip
        row_0, row_1, row_2, row_3 = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
        for t in range(len(total)):
            total[t] += amount_0 * row_0[t] + amount_1 * row_1[t] + amount_2 * row_2[t] + amount_3 * row_3[t]
            other_total[t] += other_0 * row_0[t] + other_1 * row_1[t] + other_2 * row_2[t] + other_3 * row_3[t]


@fusing_kernel
def draw_spectrograms(
    first: int, end: int, series: Array, image: Array, memory: tuple[Array, ...], places: Array, basis: Array,
    kind: int, floor: float, rows: Taps, columns: Taps,
) -> None:  # fmt: skip
    """Draw series first .. end - 1.

    Args:
        first, end: share of the batch.
        series: float64 of shape (N, time).
        image: of shape (N, height, width), to fill.
        memory: float64 to work in: of shape (candles of a segment, segments), (2, segments), (frequencies, segments),
            (frequencies, width); the number of candles rounded up to a multiple of `ROWS`.
        places: candles of every segment, int64 of shape (segments, candles of a segment).
        basis: tapered cosines and below them sines, float64 of shape (2 * frequencies, candles of a segment), rounded
            up with zeros.
        kind, floor, rows, columns: as for `draw_scalograms`.
    """
    cut, parts, power, narrow = memory
    one = np.ones(len(cut))
    cut[places.shape[1] :] = 0.0
    for n in range(first, end):
        for m in range(len(places)):
            for s in range(places.shape[1]):
                cut[s, m] = series[n, places[m, s]]
        for k in range(len(power)):
            for p in range(2):
                parts[p] = 0.0
                _add(parts[p], basis[k + p * len(power)], one, cut, 0, len(cut))
            row = power[k]
            for m in range(len(row)):
                row[m] = parts[0, m] * parts[0, m] + parts[1, m] * parts[1, m]
        _show(power, image[n], kind, floor, rows, columns, narrow)


@kernel
def _show(power: Array, image: Array, kind: int, floor: float, rows: Taps, columns: Taps, narrow: Array) -> None:
    """Shares of the largest power as pixels; `power` holds them afterwards."""
    real = power.dtype.type
    zero, one, least = real(0), real(1), real(floor)
    largest = power.max()
    unit = largest if largest > zero else one
    log_floor = math.log(least)
    for f in range(power.shape[0]):
        row = power[f]
        for t in range(len(row)):
            row[t] = row[t] / unit
        if kind == MAGNITUDE:
            for t in range(len(row)):
                row[t] = math.sqrt(row[t])
        elif kind == DECIBELS:
            for t in range(len(row)):
                row[t] = min(max(one - math.log(max(row[t], least)) / log_floor, zero), one)
    source = power
    if len(columns.start):
        source = narrow
        for f in range(power.shape[0]):
            for x in range(len(columns.start)):
                total = zero
                for tap in range(columns.weight.shape[1]):
                    total += power[f, columns.start[x] + tap] * columns.weight[x, tap]
                narrow[f, x] = total
    for y in range(image.shape[0]):
        line = image[y]
        if len(rows.start):
            for x in range(len(line)):
                total = zero
                for tap in range(rows.weight.shape[1]):
                    total += source[rows.start[y] + tap, x] * rows.weight[y, tap]
                line[x] = min(max(total, zero), one)
        else:
            for x in range(len(line)):
                line[x] = min(max(source[y, x], zero), one)
