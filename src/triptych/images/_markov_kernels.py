"""Compiled kernels of the Markov transition field. They give what `markov_transition_field.py` gives with tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.images._cpu import kernel
from triptych.images._ranks import rank_values
from triptych.images._series_kernel import take_series

Array = NDArray[Any]


@kernel
def draw_quantiles(
    first: int, end: int, rows: Array, columns: Array, bin_of_rank: Array, bounds: Array, image: Array, n_bins: int
) -> None:
    """Fill `image[first:end]` from series: a value's rank, the count of smaller values, decides its bin."""
    length = rows.shape[1]
    series, ranks, bins = np.empty(length, image.dtype), np.empty(length, np.uint32), np.empty(length, np.uint8)
    probability, onward, share = _work(n_bins, image)
    for n in range(first, end):
        take_series(rows, columns, n, series)
        rank_values(series, ranks, image[n].reshape(-1))
        for t in range(length):
            bins[t] = bin_of_rank[ranks[t]]
        _draw(bins, bounds, image, n, probability, onward, share)


@kernel
def draw_bins(first: int, end: int, bins: Array, bounds: Array, image: Array, n_bins: int) -> None:
    """Fill `image[first:end]` from the bins of all values, shape (windows, time)."""
    probability, onward, share = _work(n_bins, image)
    for n in range(first, end):
        _draw(bins[n], bounds, image, n, probability, onward, share)


@kernel
def _work(n_bins: int, image: Array) -> tuple[Array, Array, Array]:
    """Memory for the probabilities, the rows of each bin, and the shares of the bins in the segments."""
    side = image.shape[1]
    probability = np.empty((n_bins, n_bins), image.dtype)
    return probability, np.empty((n_bins, side), image.dtype), np.empty((n_bins, side), image.dtype)


@kernel
def _draw(bins: Array, bounds: Array, image: Array, n: int, probability: Array, onward: Array, share: Array) -> None:
    """Fill image n with the transition probabilities between the bins of every two segments' values.

    Segment s of a window holds its values bounds[s] .. bounds[s + 1] - 1.
    """
    _count_transitions(bins, probability)
    if image.shape[1] == len(bins):
        _draw_candles(bins, image, n, probability, onward)
    else:
        _draw_segments(bins, bounds, image, n, probability, onward, share)


@kernel
def _count_transitions(bins: Array, probability: Array) -> None:
    # Loops written out: array expressions on rows this short would cost more than the rest.
    real, n_bins = probability.dtype.type, len(probability)
    for b in range(n_bins):
        for c in range(n_bins):
            probability[b, c] = real(0)
    for t in range(len(bins) - 1):
        probability[bins[t], bins[t + 1]] += real(1)
    for b in range(n_bins):
        total = real(0)
        for c in range(n_bins):
            total += probability[b, c]
        if total > real(0):
            for c in range(n_bins):
                probability[b, c] /= total


@kernel
def _draw_candles(bins: Array, image: Array, n: int, probability: Array, onward: Array) -> None:
    """A segment a candle: rows of the same bin are the same, so each is made once and copied."""
    side = len(bins)
    for b in range(len(probability)):
        for j in range(side):
            onward[b, j] = probability[b, bins[j]]
    for i in range(side):
        b = bins[i]
        for j in range(side):
            image[n, i, j] = onward[b, j]


@kernel
def _draw_segments(
    bins: Array, bounds: Array, image: Array, n: int, probability: Array, onward: Array, share: Array
) -> None:
    """The mean of a block is a product of the shares that the bins have in its two segments."""
    n_bins, side = onward.shape
    share[:] = 0
    for s in range(side):
        size = image.dtype.type(bounds[s + 1] - bounds[s])
        for t in range(bounds[s], bounds[s + 1]):
            share[bins[t], s] += 1
        for b in range(n_bins):
            share[b, s] /= size
    onward[:] = 0
    for b in range(n_bins):
        for c in range(n_bins):
            for s in range(side):
                onward[b, s] += probability[b, c] * share[c, s]
    image[n] = 0
    for i in range(side):
        for b in range(n_bins):
            if share[b, i] > 0:
                for j in range(side):
                    image[n, i, j] += share[b, i] * onward[b, j]
