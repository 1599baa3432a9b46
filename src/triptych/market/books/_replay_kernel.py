"""The compiled replay: sorted levels of both sides, changed message by message, the best ones copied out where wanted.

A side is two parallel arrays with the best level LAST, so that the usual change, near the best, moves few elements;
asks are kept with their sign turned, so that both sides rise towards the best.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def replay_levels(  # type: ignore[no-untyped-def]
    messages, resets, wanted, level_start, is_ask, price_ticks, sizes, out_ticks, out_sizes, is_crossed
) -> None:
    """Apply messages in order and copy the best levels out after those that are wanted.

    Args:
        messages: int64 of shape (s,): message of every step.
        resets: bool of shape (s,): the step begins a new book.
        wanted: int64 of shape (s,): row of the output that shows the book after the step, -1 for none.
        level_start, is_ask, price_ticks, sizes: see `BookEvents`.
        out_ticks: int64 of shape (rows, 2, K), filled with 0 by the caller: bids, asks.
        out_sizes: float64 of shape (rows, 2, K).
        is_crossed: bool of shape (rows,).
    """
    room = 1024
    bid_ticks, bid_sizes, n_bids = np.empty(room, np.int64), np.empty(room, np.float64), 0
    ask_ticks, ask_sizes, n_asks = np.empty(room, np.int64), np.empty(room, np.float64), 0
    for step in range(len(messages)):
        if resets[step]:
            n_bids = n_asks = 0
        message = messages[step]
        first, end = level_start[message], level_start[message + 1]
        while max(n_bids, n_asks) + (end - first) > len(bid_ticks):
            bid_ticks, ask_ticks = _doubled(bid_ticks), _doubled(ask_ticks)
            bid_sizes, ask_sizes = _doubled(bid_sizes), _doubled(ask_sizes)
        for level in range(first, end):
            if is_ask[level]:
                n_asks = _set(ask_ticks, ask_sizes, n_asks, -price_ticks[level], sizes[level])
            else:
                n_bids = _set(bid_ticks, bid_sizes, n_bids, price_ticks[level], sizes[level])
        row = wanted[step]
        if row >= 0:
            is_crossed[row] = n_bids > 0 and n_asks > 0 and bid_ticks[n_bids - 1] >= -ask_ticks[n_asks - 1]
            for k in range(min(out_ticks.shape[2], n_bids)):
                out_ticks[row, 0, k] = bid_ticks[n_bids - 1 - k]
                out_sizes[row, 0, k] = bid_sizes[n_bids - 1 - k]
            for k in range(min(out_ticks.shape[2], n_asks)):
                out_ticks[row, 1, k] = -ask_ticks[n_asks - 1 - k]
                out_sizes[row, 1, k] = ask_sizes[n_asks - 1 - k]


@numba.njit(cache=True, nogil=True)
def _doubled(values):  # type: ignore[no-untyped-def]
    more = np.empty(2 * len(values), values.dtype)
    more[: len(values)] = values
    return more


@numba.njit(cache=True, nogil=True)
def _set(keys, values, n, key, value):  # type: ignore[no-untyped-def]
    """Set, insert or (value 0) delete one level of a side of `n`; returns the new number of levels."""
    low, high = 0, n
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    found = low < n and keys[low] == key
    if value > 0.0:
        if not found:
            for i in range(n, low, -1):
                keys[i], values[i] = keys[i - 1], values[i - 1]
            keys[low] = key
            n += 1
        values[low] = value
    elif found:
        n -= 1
        for i in range(low, n):
            keys[i], values[i] = keys[i + 1], values[i + 1]
    return n
