"""Gramian angular fields by a compiled loop: three multiplications and additions a pixel, each pixel written once.

The arithmetic is that of `cosine_and_sine` and of the product in `_gramian.py`; only the last digit may differ. A
matrix product cannot know that its factors are two rows thin and packs them first, so it takes half as long again.

A new candle that leaves the window's minimum and maximum alone moves the field up and left by one pixel and adds a row
and a column. That was measured too: moving reads and writes every pixel and takes as long as drawing it anew (both 7 us
at 224 x 224), so a stream (`_stream.py`) draws anew.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.images._cpu import kernel
from triptych.images._series_kernel import take_series

Array = NDArray[Any]


@kernel
def draw_fields(
    first: int, end: int, rows: Array, columns: Array, image: Array, difference: bool, signed: bool, inside: Any
) -> None:
    """Draw series first .. end into their images; see `_cpu`.

    Args:
        first: of the series to draw.
        end: behind the last of them.
        rows: shape (batch, size, any), of the same dtype as the images.
        columns: in `rows`, of each channel.
        image: shape (batch * channels, size, size).
        difference: GADF instead of GASF.
        signed: values in [-1, 1] instead of [0, 1].
        inside: what points between the ends of the range are multiplied by, of the same dtype.
    """
    real = image.dtype.type
    size = image.shape[1]
    series, cosine, sine = np.empty(size, image.dtype), np.empty(size, image.dtype), np.empty(size, image.dtype)
    scale, shift = (real(1.0), real(0.0)) if signed else (real(0.5), real(0.5))
    for n in range(first, end):
        take_series(rows, columns, n, series)
        _cosine_and_sine(series, cosine, sine, inside)
        for i in range(size):
            by_cosine = scale * (sine[i] if difference else cosine[i])
            by_sine = scale * (cosine[i] if difference else sine[i])
            for j in range(size):
                image[n, i, j] = by_cosine * cosine[j] - by_sine * sine[j] + shift


@kernel
def _cosine_and_sine(series: Array, cosine: Array, sine: Array, inside: Any) -> None:
    """Cosine and sine of the angles of a series."""
    real = cosine.dtype.type
    low, high = series[0], series[0]
    for t in range(len(cosine)):
        low, high = min(low, series[t]), max(high, series[t])
    span = high - low if high > low else real(1.0)
    for t in range(len(cosine)):
        above, below = (series[t] - low) / span, (high - series[t]) / span
        within = inside if above > real(0.0) and below > real(0.0) else real(1.0)
        cosine[t] = (above - below) * within
        sine[t] = real(2.0) * np.sqrt(above * below) * within if high > low else real(1.0)
