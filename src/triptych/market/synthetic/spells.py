"""A Markov chain in discrete time, drawn spell by spell: how regimes and pressure take turns."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from triptych.market.synthetic.streams import uniforms


def markov_chain(
    generator: np.random.Generator,
    n: int,
    *,
    first: Sequence[float],
    mean_duration: Sequence[float],
    jump: Sequence[Sequence[float]],
) -> NDArray[np.int8]:
    """States 0 .. n_states - 1 of `n` candles.

    A state is left with probability 1 / mean_duration per candle, which makes its spells geometric; the next state is
    drawn from the row of `jump`, whose diagonal is zero.

    Args:
        generator: the stream to draw from; two values for each spell, one for the first state.
        n: number of candles.
        first: probabilities of the first state.
        mean_duration: mean length of a spell of each state, in candles, above 1.
        jump: probabilities of the next state, one row for each state.

    Returns:
        int8 array of shape (n,).
    """
    rows = [list(accumulate(row)) for row in jump]
    leave = [math.log1p(-1.0 / duration) for duration in mean_duration]
    state = _pick(list(accumulate(first)), float(uniforms(generator, 1)[0]))
    states, lengths, filled = [], [], 0
    while filled < n:
        length_draw, next_draw = uniforms(generator, 2).tolist()
        length = 1 + int(math.log(length_draw) / leave[state])
        states.append(state)
        lengths.append(min(length, n - filled))
        filled += length
        state = _pick(rows[state], next_draw)
    return np.repeat(np.asarray(states, dtype=np.int8), lengths)


def _pick(cumulative: list[float], draw: float) -> int:
    """Index of the state that `draw` falls on; scaled, so that rounding in the sum cannot lead past the last state."""
    return bisect_right(cumulative, draw * cumulative[-1], hi=len(cumulative) - 1)
