"""The compiled replay: sorted levels of both sides, changed message by message, the best ones copied out where wanted.

A side is two parallel arrays with the best level LAST, so that the usual change, near the best, moves few elements;
asks are kept with their sign turned, so that both sides rise towards the best.
"""

from __future__ import annotations

import numba
import numpy as np

ROOM = 1024
"""Levels a side that there is room for at first."""


@numba.njit(cache=True, nogil=True)
def replay_levels(  # type: ignore[no-untyped-def]
    messages, resets, wanted, level_start, is_ask, price_ticks, sizes, out_ticks, out_sizes
) -> None:
    """Apply messages in order and copy the best levels out after those that are wanted.

    Args:
        messages: int64 of shape (s,): message of every step.
        resets: bool of shape (s,): the step begins a new book.
        wanted: int64 of shape (s,): row of the output that shows the book after the step, -1 for none.
        level_start, is_ask, price_ticks, sizes: see `BookEvents`.
        out_ticks: int64 of shape (rows, 2, K), filled with 0 by the caller: bids, asks.
        out_sizes: float64 of shape (rows, 2, K).
    """
    bids, asks = (_empty(), _empty())
    for step in range(len(messages)):
        if resets[step]:
            bids, asks = (bids[0], bids[1], 0), (asks[0], asks[1], 0)
        bids, asks = _applied(bids, asks, messages[step], level_start, is_ask, price_ticks, sizes)
        row = wanted[step]
        if row >= 0:
            _copy_best(bids, out_ticks[row, 0], out_sizes[row, 0], 1)
            _copy_best(asks, out_ticks[row, 1], out_sizes[row, 1], -1)


@numba.njit(cache=True, nogil=True)
def find_crossings(  # type: ignore[no-untyped-def]
    messages, resets, shows, level_start, is_ask, price_ticks, sizes, stop, crosses
) -> None:
    """Tell after which steps the book is crossed: best bid not below best ask.

    Args:
        messages, resets, level_start, is_ask, price_ticks, sizes: as for `replay_levels`.
        shows: bool of shape (s,): the steps that are judged.
        stop: end at the first one found.
        crosses: bool of shape (s,), filled with False by the caller.
    """
    bids, asks = (_empty(), _empty())
    for step in range(len(messages)):
        if resets[step]:
            bids, asks = (bids[0], bids[1], 0), (asks[0], asks[1], 0)
        bids, asks = _applied(bids, asks, messages[step], level_start, is_ask, price_ticks, sizes)
        if shows[step] and bids[2] > 0 and asks[2] > 0 and bids[0][bids[2] - 1] >= -asks[0][asks[2] - 1]:
            crosses[step] = True
            if stop:
                return


@numba.njit(cache=True, nogil=True)
def _empty():  # type: ignore[no-untyped-def]
    """A side without levels: ticks, sizes, number of levels."""
    return np.empty(ROOM, np.int64), np.empty(ROOM, np.float64), 0


@numba.njit(cache=True, nogil=True)
def _applied(bids, asks, message, level_start, is_ask, price_ticks, sizes):  # type: ignore[no-untyped-def]
    """Both sides after a message."""
    bid_ticks, bid_sizes, n_bids = bids
    ask_ticks, ask_sizes, n_asks = asks
    first, end = level_start[message], level_start[message + 1]
    while max(n_bids, n_asks) + (end - first) > min(len(bid_ticks), len(ask_ticks)):
        bid_ticks, ask_ticks = _doubled(bid_ticks), _doubled(ask_ticks)
        bid_sizes, ask_sizes = _doubled(bid_sizes), _doubled(ask_sizes)
    for level in range(first, end):
        if is_ask[level]:
            n_asks = _set(ask_ticks, ask_sizes, n_asks, -price_ticks[level], sizes[level])
        else:
            n_bids = _set(bid_ticks, bid_sizes, n_bids, price_ticks[level], sizes[level])
    return (bid_ticks, bid_sizes, n_bids), (ask_ticks, ask_sizes, n_asks)


@numba.njit(cache=True, nogil=True)
def _copy_best(side, out_ticks, out_sizes, sign):  # type: ignore[no-untyped-def]
    ticks, sizes, n = side
    for k in range(min(len(out_ticks), n)):
        out_ticks[k] = sign * ticks[n - 1 - k]
        out_sizes[k] = sizes[n - 1 - k]


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
