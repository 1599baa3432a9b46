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

Array = NDArray[Any]


@kernel
def draw_fields(first: int, end: int, series: Array, image: Array, difference: bool, signed: bool) -> None:
    """Draw series first .. end into their images; see `_cpu`.

    Args:
        first: of the series to draw.
        end: behind the last of them.
        series: shape (batch * channels, size).
        image: shape (batch * channels, size, size), of the same dtype.
        difference: GADF instead of GASF.
        signed: values in [-1, 1] instead of [0, 1].
    """
    real = image.dtype.type
    size = series.shape[1]
    cosine, sine = np.empty(size, image.dtype), np.empty(size, image.dtype)
    scale, shift = (real(1.0), real(0.0)) if signed else (real(0.5), real(0.5))
    least, most = (real(-1.0) if signed else real(0.0)), real(1.0)
    for n in range(first, end):
        _cosine_and_sine(series, n, cosine, sine)
        for i in range(size):
            by_cosine = scale * (sine[i] if difference else cosine[i])
            by_sine = scale * (cosine[i] if difference else sine[i])
            for j in range(size):
                pixel = by_cosine * cosine[j] - by_sine * sine[j] + shift
                image[n, i, j] = min(max(pixel, least), most)


@kernel
def _cosine_and_sine(series: Array, n: int, cosine: Array, sine: Array) -> None:
    """Cosine and sine of the angles of series n."""
    real = cosine.dtype.type
    low, high = series[n, 0], series[n, 0]
    for t in range(len(cosine)):
        low, high = min(low, series[n, t]), max(high, series[n, t])
    span = high - low if high > low else real(1.0)
    for t in range(len(cosine)):
        above, below = (series[n, t] - low) / span, (high - series[n, t]) / span
        cosine[t] = above - below
        sine[t] = real(2.0) * np.sqrt(above * below) if high > low else real(1.0)
