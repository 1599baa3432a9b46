"""How a kernel takes a series out of a batch, and logarithms of prices.

A logarithm decides ties: equal returns must be equal in a batch, alone, in a stream and in an exported graph, and the
functions of libraries are not, not even roots, since their vectors round differently from what is left over at the end
of an array. So it is made of sums, products, quotients and comparisons, which every machine rounds in the same way:

    log(a / b) = n log(2) + 2 atanh((a - b 2^n) / (a + b 2^n)),    atanh(x) = x + x^3 / 3 + x^5 / 5 + ..

with the n that leaves a ratio between the roots of 1/2 and 2. `_series.py` does the same with tensors, operation by
operation. Right to rounding for ratios of prices up to 3e9.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLOSE, HIGH, LOW, OPEN
from triptych.images._cpu import kernel

Array = NDArray[Any]
POWERS = (16, 8, 4, 2, 1)
"""Doublings that are tried, each once."""
ABOVE = 0.7071067811865476
"""A ratio of this times the power of two, or more, is divided by the power."""
LOG_2 = 0.6931471805599453
ODD = tuple(1.0 / k for k in range(1, 21, 2))
"""Of the sum of powers."""
FIELD, LOG_RETURN, LOG_RANGE = range(3)
"""Kinds of series."""


@kernel
def take_series(rows: Array, columns: Array, n: int, values: Array) -> None:
    """Fill `values` with series n of a batch: of window n // len(columns), the column whose turn it is.

    Args:
        rows: shape (batch, time, any); `rows_and_columns` gives these two.
        columns: in `rows`, of the series of each window.
        n: among all series of the batch.
        values: shape (time,).
    """
    window, column = n // len(columns), columns[n % len(columns)]
    for t in range(len(values)):
        values[t] = rows[window, t, column]


@kernel
def take_logarithms(window: Array, wanted: Array, rows: Array) -> None:
    """Fill `rows`, shape (batch, time, series), from windows of candles.

    Args:
        window: shape (batch, time, candle fields).
        wanted: kind of each series, and of a field its column; int64 of shape (series, 2).
        rows: to fill, of the dtype of the window.
    """
    for b in range(len(window)):
        for t in range(window.shape[1]):
            for i in range(len(wanted)):
                if wanted[i, 0] == LOG_RETURN:
                    before = window[b, t - 1, CLOSE] if t else window[b, 0, OPEN]
                    rows[b, t, i] = _log_ratio(window[b, t, CLOSE], before)
                elif wanted[i, 0] == LOG_RANGE:
                    rows[b, t, i] = _log_ratio(window[b, t, HIGH], window[b, t, LOW])
                else:
                    rows[b, t, i] = window[b, t, wanted[i, 1]]


@kernel
def are_positive(window: Array, columns: int) -> bool:
    """Whether all values of the first `columns` columns of windows are above zero."""
    for b in range(len(window)):
        for t in range(window.shape[1]):
            for c in range(columns):
                if not window[b, t, c] > 0:
                    return False
    return True


@kernel
def take_centred(window: Array, wanted: Array, less_mean: bool, work: Array, out: Array) -> None:
    """Fill `out` with series less their means, in units of their largest value; see `_series.fill_centred`."""
    count = len(work)
    for b in range(len(window)):
        for i in range(len(wanted)):
            for t in range(count):
                if wanted[i, 0] == LOG_RETURN:
                    before = window[b, t - 1, CLOSE] if t else window[b, 0, OPEN]
                    work[t] = _log_ratio(np.float64(window[b, t, CLOSE]), np.float64(before))
                elif wanted[i, 0] == LOG_RANGE:
                    work[t] = _log_ratio(np.float64(window[b, t, HIGH]), np.float64(window[b, t, LOW]))
                else:
                    work[t] = window[b, t, wanted[i, 1]]
            if less_mean:
                # Less the first value first: of a series that does not move exactly nothing is left.
                start, total = work[0], 0.0
                for t in range(count):
                    work[t] -= start
                    total += work[t]
                mean = total / count
                for t in range(count):
                    work[t] -= mean
            largest = 0.0
            for t in range(count):
                largest = max(largest, abs(work[t]))
            unit = largest if largest > 0 else 1.0
            for t in range(count):
                out[b * len(wanted) + i, t] = work[t] / unit


@kernel
def _log_ratio(a: Any, b: Any) -> Any:
    real = type(a)
    large, small = (a, b) if a >= b else (b, a)
    doublings = real(0.0)
    if large >= small * real(ABOVE * 2.0):
        for power in POWERS:
            if large >= small * real(ABOVE * 2.0**power):
                small = small * real(2.0**power)
                doublings += real(power)
    x = (large - small) / (large + small)
    square, series = x * x, real(ODD[-1])
    for k in range(len(ODD) - 2, -1, -1):
        series = series * square + real(ODD[k])
    result = doublings * real(LOG_2) + x * series * real(2.0)
    return result if a >= b else -result
