"""What the grossest rows are sure to score: a threshold above it could never be exceeded.

Scores end somewhere: rows are bounded before they are looked at, and so are many kinds of evidence. A threshold that
is read off wild held-out rows, or off a fitted tail, knows nothing of that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

SURE: Final = 0.9
"""Share of the reach that a threshold may take: what is nearly as gross as the grossest rows must still exceed it."""
_WINDOWS: Final = 12
_PATTERNS: Final = 4  # of signs by channel


def reach(
    scores: Callable[[NDArray[np.float32]], NDArray[np.float64]],
    stretches: Sequence[NDArray[np.float32]],
    *,
    memory: int,
    bound: float,
) -> float:
    """The score that the grossest rows get behind any of the windows of `stretches`.

    The last 1, 4, 16, ... `memory` rows of windows spread over the stretches are put to the bound in all channels: on
    one side or the other by channel, held there or alternating. Of what a window can be brought to score the greatest
    counts, of all windows the least.

    Args:
        scores: of windows, (n_windows, memory, channels) -> (n_windows,).
        stretches: scaled rows, each (n_rows, channels), some with `memory` rows.
        memory: rows of a window.
        bound: greatest value of a scaled row.
    """
    ends = [(one, end) for one in stretches for end in range(memory, len(one) + 1)]
    chosen = [ends[i] for i in np.unique(np.linspace(0, len(ends) - 1, _WINDOWS).astype(int))]
    windows = np.stack([one[end - memory : end] for one, end in chosen])
    channels = windows.shape[2]
    generator = np.random.default_rng(0)
    signs = generator.choice([-1.0, 1.0], size=(_PATTERNS, channels))
    signs[0], signs[1] = 1.0, np.resize([1.0, -1.0], channels)
    probes = []
    for rows in sorted({memory, *(4**k for k in range(memory.bit_length()) if 4**k <= memory)}):
        for sign in signs:
            for turns in ((1.0,), (1.0, -1.0))[: 1 if rows == 1 else 2]:
                gross = windows.copy()
                gross[:, memory - rows :] = bound * np.resize(turns, rows)[:, None] * sign
                probes.append(gross)
    found = scores(np.concatenate(probes)).reshape(len(probes), len(windows))
    return float(found.max(axis=0).min())
