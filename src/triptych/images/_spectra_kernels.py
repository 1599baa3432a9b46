"""The spectrogram and the scalogram by compiled loops, in double precision: from a series to the image, in memory that
is there.

The arithmetic is that of `spectrogram.py`, `scalogram.py` and `_spectra.py`. A product with cosines is a sum over
frequencies or candles of whole rows: the compiler turns the innermost loop, over time, into vector instructions.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from triptych.images._cpu import as_array, kernel

Array = NDArray[Any]
MAGNITUDE, POWER, DECIBELS = range(3)
KINDS = {"magnitude": MAGNITUDE, "power": POWER, "decibels": DECIBELS}
"""What a pixel shows, as kernels are told it."""


class Taps(NamedTuple):
    """How pixels become others along one side: first old pixel of each new one, and the weights from there on.

    Shapes: (new,) int64 and (new, most weights) float64; of no weights where nothing changes.
    """

    start: NDArray[np.int64]
    weight: NDArray[np.float64]

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


@kernel
def draw_scalograms(
    first: int, end: int, series: Array, image: Array, memory: tuple[Array, ...], analysis: Array, responses: Array,
    waves: Array, bands: Array, kind: int, floor: float, rows: Taps, columns: Taps,
) -> None:  # fmt: skip
    """Draw series first .. end - 1.

    Args:
        first, end: share of the batch.
        series: float64 of shape (N, time).
        image: of shape (N, height, width), to fill.
        memory: float64 to work in: of shape (frequencies,), (2, time), (scales, time), (scales, width).
        analysis: float64 of shape (time, frequencies).
        responses, waves: float64 of shape (parts, scales, frequencies) and (parts, frequencies, time).
        bands: the first frequency that every scale holds and the one after the last, int64 of shape (scales, 2).
        kind, floor: what a pixel shows; share of the largest power that is 0 in decibels.
        rows, columns: how the image gets its size.
    """
    held, parts, power, narrow = memory
    for n in range(first, end):
        held[:] = 0.0
        for t in range(series.shape[1]):
            for k in range(len(held)):
                held[k] += series[n, t] * analysis[t, k]
        for s in range(len(bands)):
            for p in range(len(waves)):
                part = parts[p]
                part[:] = 0.0
                for k in range(bands[s, 0], bands[s, 1]):
                    amount, wave = held[k] * responses[p, s, k], waves[p, k]
                    for t in range(len(part)):
                        part[t] += amount * wave[t]
            row = power[s]
            for t in range(len(row)):
                row[t] = parts[0, t] * parts[0, t]
            if len(waves) > 1:
                for t in range(len(row)):
                    row[t] += parts[1, t] * parts[1, t]
        _show(power, image[n], kind, floor, rows, columns, narrow)


@kernel
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
            (frequencies, width).
        places: candles of every segment, int64 of shape (segments, candles of a segment).
        basis: tapered cosines and below them sines, float64 of shape (2 * frequencies, candles of a segment).
        kind, floor, rows, columns: as for `draw_scalograms`.
    """
    cut, parts, power, narrow = memory
    for n in range(first, end):
        for m in range(len(places)):
            for s in range(len(cut)):
                cut[s, m] = series[n, places[m, s]]
        for k in range(len(power)):
            for p in range(2):
                part, wave = parts[p], basis[k + p * len(power)]
                part[:] = 0.0
                for s in range(len(cut)):
                    amount, piece = wave[s], cut[s]
                    for m in range(len(part)):
                        part[m] += amount * piece[m]
            row = power[k]
            for m in range(len(row)):
                row[m] = parts[0, m] * parts[0, m] + parts[1, m] * parts[1, m]
        _show(power, image[n], kind, floor, rows, columns, narrow)


@kernel
def _show(power: Array, image: Array, kind: int, floor: float, rows: Taps, columns: Taps, narrow: Array) -> None:
    """Shares of the largest power as pixels; `power` holds them afterwards."""
    largest = power.max()
    unit = largest if largest > 0.0 else 1.0
    log_floor = math.log(floor)
    for f in range(power.shape[0]):
        row = power[f]
        for t in range(len(row)):
            row[t] = row[t] / unit
        if kind == MAGNITUDE:
            for t in range(len(row)):
                row[t] = math.sqrt(row[t])
        elif kind == DECIBELS:
            for t in range(len(row)):
                row[t] = min(max(1.0 - math.log(max(row[t], floor)) / log_floor, 0.0), 1.0)
    source = power
    if len(columns.start):
        source = narrow
        for f in range(power.shape[0]):
            for x in range(len(columns.start)):
                total = 0.0
                for tap in range(columns.weight.shape[1]):
                    total += power[f, columns.start[x] + tap] * columns.weight[x, tap]
                narrow[f, x] = total
    for y in range(image.shape[0]):
        line = image[y]
        if len(rows.start):
            for x in range(len(line)):
                total = 0.0
                for tap in range(rows.weight.shape[1]):
                    total += source[rows.start[y] + tap, x] * rows.weight[y, tap]
                line[x] = min(max(total, 0.0), 1.0)
        else:
            for x in range(len(line)):
                line[x] = min(max(source[y, x], 0.0), 1.0)
