"""What gross rows are sure to score: a threshold above it would let them pass.

Scores end somewhere: rows are bounded before they are looked at, and so are many kinds of evidence. A threshold that
is read off wild held-out rows, off a fitted tail, or off the events that a stream remembers knows nothing of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

SURE: Final = 0.9
"""Share of the reach that a threshold may take: what is nearly as gross must still exceed it."""
_WINDOWS: Final = 12
_PATTERNS: Final = 4  # of signs by channel
_ALL: Final = 256  # of signs of the last row, where these are not enough
_BEFORE: Final = (0.1, 0.3)  # shares of a window's earlier rows that were gross too
_SEEN: Final = 4.0  # times as far out as nearly all rows that were learnt from


def reach(
    scores: Callable[[NDArray[np.float32]], NDArray[np.float64]],
    stretches: Sequence[NDArray[np.float32]],
    *,
    memory: int,
    bound: float,
    learnt: NDArray[np.float64],
) -> float:
    """The score that gross rows are sure to get behind any of the windows of `stretches`.

    Rows are put to the bound in all channels, on one side or the other by channel: the last 1, 4, 16, ... `memory` rows
    of windows spread over the stretches, held there, alternating or with signs of their own, and the last row behind
    scattered ones. Of all these patterns and windows the least score counts. Directions that a detector does not look
    at, such as the first component of PCA, are left out: a pattern counts where it is at least four times as far from
    the median of the learnt rows as 99 % of them. Where none does, the last row is tried with all signs: of few
    channels a detector may look at one direction alone. Where still none does, as in a forest whose scores all end
    alike, the greatest that each window can be brought to counts, of all windows the least, but no less than what 99 %
    of the learnt rows stay below: gross rows that score less cannot be told from normal ones.

    Args:
        scores: of windows, (n_windows, memory, channels) -> (n_windows,).
        stretches: scaled rows, each (n_rows, channels), some with `memory` rows.
        memory: rows of a window.
        bound: greatest value of a scaled row.
        learnt: scores of rows that were learnt from, (n,).
    """
    ends = [(one, end) for one in stretches for end in range(memory, len(one) + 1)]
    chosen = [ends[i] for i in np.unique(np.linspace(0, len(ends) - 1, _WINDOWS).astype(int))]
    windows = np.stack([one[end - memory : end] for one, end in chosen])
    usual, high = np.quantile(learnt, [0.5, 0.99]) if learnt.size else (0.0, 0.0)
    most = np.full(len(windows), -np.inf)
    for patterns in (_patterns, _of_all_signs):
        probes = [
            np.where(gross == 0, windows, bound * gross).astype(np.float32)
            for gross in patterns(memory, windows.shape[2])
        ]
        found = scores(np.concatenate(probes)).reshape(len(probes), len(windows))
        least = found.min(axis=1)
        seen = least[least >= usual + _SEEN * (high - usual)]
        if seen.size:
            return float(seen.min())
        most = np.maximum(most, found.max(axis=0))
    return float(max(most.min(), high))


def _patterns(memory: int, channels: int) -> Iterator[NDArray[np.float64]]:
    """Signs of the gross rows of a window, (memory, channels), the last one always; 0 where a row stays as it is."""
    generator = np.random.default_rng(0)
    signs = generator.choice([-1.0, 1.0], size=(_PATTERNS, channels))
    signs[0], signs[1] = 1.0, np.resize([1.0, -1.0], channels)
    for rows in sorted({memory, *(4**k for k in range(memory.bit_length()) if 4**k <= memory)}):
        for sign in signs:
            own = generator.choice([-1.0, 1.0], size=(rows, channels))
            turns = [np.tile(sign, (rows, 1)), np.resize([1.0, -1.0], rows)[:, None] * sign, own]
            for turn in turns[: 1 if rows == 1 else 3]:
                gross = np.zeros((memory, channels))
                gross[memory - rows :] = turn
                yield gross
    for share in _BEFORE:
        for sign in signs:
            own = generator.choice([-1.0, 1.0], size=(memory, channels))
            gross = np.where(generator.random((memory, 1)) < share, own, 0.0)
            gross[-1] = sign
            yield gross


def _of_all_signs(memory: int, channels: int) -> Iterator[NDArray[np.float64]]:
    """Signs of the last row: all there are of few channels, some drawn of many; each channel by itself, too."""
    generator = np.random.default_rng(0)
    every = 2.0**channels <= _ALL
    signs = (
        np.array(list(product([-1.0, 1.0], repeat=channels)))
        if every
        else (generator.choice([-1.0, 1.0], size=(_ALL, channels)))
    )
    for last in (*signs, *np.eye(channels), *-np.eye(channels)):
        gross = np.zeros((memory, channels))
        gross[-1] = last
        yield gross
