"""Compiled kernels of the Markov transition field. They give what `markov_transition_field.py` gives with tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.images._cpu import kernel

Array = NDArray[Any]


@kernel
def rank_bins(first: int, end: int, x: Array, bin_of_rank: Array, bins: Array) -> None:
    """Fill `bins[first:end]`, of shape (windows, time): a value's rank, the count of smaller values, decides its bin.

    Every value is compared with every other: whole vectors at a time, which beats sorting up to about a thousand.
    """
    length = x.shape[1]
    rank = np.empty(length, np.int32)
    for n in range(first, end):
        row = x[n]
        rank[:] = 0
        for j in range(length):
            value = row[j]
            for i in range(length):
                rank[i] += np.int32(value < row[i])
        for i in range(length):
            bins[n, i] = bin_of_rank[rank[i]]


@kernel
def draw_field(first: int, end: int, bins: Array, bounds: Array, image: Array, n_bins: int) -> None:
    """Fill `image[first:end]` with the transition probabilities between the bins of every two segments' values.

    Segment s of a window holds its values bounds[s] .. bounds[s + 1] - 1.
    """
    length, side = bins.shape[1], image.shape[1]
    probability = np.empty((n_bins, n_bins), image.dtype)
    onward = np.empty((n_bins, side), image.dtype)
    share = np.empty((n_bins, side), image.dtype)
    for n in range(first, end):
        probability[:] = 0
        for t in range(length - 1):
            probability[bins[n, t], bins[n, t + 1]] += 1
        for b in range(n_bins):
            probability[b] /= max(probability[b].sum(), image.dtype.type(1))
        if side == length:
            # Rows of the same bin are the same: each is made once and copied.
            for b in range(n_bins):
                for j in range(side):
                    onward[b, j] = probability[b, bins[n, j]]
            for i in range(side):
                row, same = image[n, i], onward[bins[n, i]]
                for j in range(side):
                    row[j] = same[j]
            continue
        share[:] = 0
        for s in range(side):
            size = image.dtype.type(bounds[s + 1] - bounds[s])
            for t in range(bounds[s], bounds[s + 1]):
                share[bins[n, t], s] += 1
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
