"""Whether what followed the most similar windows of the past foretells what follows: beside plain ways to look up.

Each way picks as many windows from the same past: windows that share no candle with the one asked about or with one
another, and whose outcome was known by then. What is foretold is the mean of what followed them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries
from triptych.inference.similar import most_similar
from triptych.training.tasks.har import log_volatility_behind

NEIGHBOURS = 10
"""Windows that are looked up, as `triptych similar` does."""
RANDOM, RETURNS, VOLATILITY, MEAN = "random", "returns", "volatility", "mean"
"""Plain ways: windows at random; nearest by the returns as scores of their window (Euclidean); nearest by volatility
alone; and, instead of some windows, all there are."""
Array = NDArray[np.float64]
Alike = Callable[[int, int], Array]
"""(place of the window asked about among `asked`, how many of the past may be picked) -> likeness of each of these."""


def foretold_by_look_up(
    ways: Mapping[str, Alike],
    *,
    past_ends: NDArray[np.int64],
    asked_ends: NDArray[np.int64],
    followed: Array,
    length: int,
    horizon: int,
) -> dict[str, Array]:
    """What each way foretells of the windows asked about; NaN where the past holds too few windows for it.

    Args:
        ways: by name, what says how alike windows of the past are.
        past_ends: last candle of each window of the past, rising.
        asked_ends: last candle of each window asked about.
        followed: figures that followed each window of the past, shape (n_past, figures), NaN where not known.
        length, horizon: of a window, and of what follows; candles.

    Returns:
        By way, and `mean` for the mean of all of the past, shape (n_asked, figures).
    """
    found = {name: np.full((len(asked_ends), followed.shape[1]), np.nan) for name in (*ways, MEAN)}
    for i, end in enumerate(asked_ends.tolist()):
        there = int(np.searchsorted(past_ends, end - max(length, horizon), side="right"))
        known = np.flatnonzero(np.isfinite(followed[:there]).all(axis=1))
        if not len(known):
            continue
        found[MEAN][i] = followed[known].mean(axis=0)
        for name, alike in ways.items():
            chosen = most_similar(alike(i, there)[known], past_ends[known], count=NEIGHBOURS, apart=length)
            if len(chosen) == NEIGHBOURS:
                found[name][i] = followed[known[chosen]].mean(axis=0)
    return found


def plain_ways(
    series: CandleSeries, past_ends: NDArray[np.int64], asked_ends: NDArray[np.int64], length: int, seed: int
) -> dict[str, Alike]:
    """The ways that know no network: by returns, by volatility, at random."""
    past, asked = (_scores_of_returns(series, ends, length) for ends in (past_ends, asked_ends))
    wild = np.nan_to_num(log_volatility_behind(series, length - 1), nan=-np.inf)
    random = np.random.default_rng(seed)

    def by_returns(i: int, there: int) -> Array:
        found: Array = past[:there] @ asked[i]  # of scores of unit length the order of their distances, turned round
        return found

    def by_volatility(i: int, there: int) -> Array:
        with np.errstate(invalid="ignore"):
            apart: Array = np.abs(wild[past_ends[:there]] - wild[asked_ends[i]])
        return -np.nan_to_num(apart, nan=0.0, posinf=1e9)  # two still prices are alike, one is like no other

    return {RETURNS: by_returns, VOLATILITY: by_volatility, RANDOM: lambda _, there: random.random(there)}


def by_embedding(past: NDArray[np.floating], asked: NDArray[np.floating]) -> Alike:
    """Likeness by places on the sphere, shapes (n_past, dimension) and (n_asked, dimension)."""
    past_64, asked_64 = past.astype(np.float64), asked.astype(np.float64)

    def alike(i: int, there: int) -> Array:
        found: Array = past_64[:there] @ asked_64[i]
        return found

    return alike


def _scores_of_returns(series: CandleSeries, ends: NDArray[np.int64], length: int) -> Array:
    """Log returns of windows as z-scores of each, scaled to unit length, shape (n, length - 1); 0 of a still price."""
    steps = np.diff(np.log(series.close))
    windows = np.lib.stride_tricks.sliding_window_view(steps, length - 1)[np.asarray(ends) - (length - 1)]
    centred = windows - windows.mean(axis=1, keepdims=True)
    size = np.linalg.norm(centred, axis=1, keepdims=True)
    scores: Array = np.divide(centred, size, out=np.zeros_like(centred), where=size > 0)
    return scores


def joined(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """What several series were foretold, in their order."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
