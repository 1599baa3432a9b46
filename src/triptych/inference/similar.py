"""The most similar windows of the past: never overlapping with the one asked about or with one another, never later."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.domain.errors import ArtifactError
from triptych.inference.classifier import WindowClassifier
from triptych.models.siamese import SiameseNetwork

BATCH = 512
NEIGHBOURS = 10
"""Windows whose mean distance says how strange another is."""
COLLAPSED: Final = 0.05
"""Median distance of two windows below which they all stand in about one place. Then two windows at random have a
similarity of .999, so that nothing shown tells one from another. Untrained networks of the recipes `siamese` and
`siamese_factors` put real windows .13 to .93 apart, seeds 1 to 5: what comes below half of it was brought together."""
SPREAD_BY: Final = 500
"""Windows by which that distance is told, at most."""
LEAST_TO_JUDGE: Final = 20
"""Windows of the past by which it is told at least, none sharing more than half of its candles with another: those that
share more stand close to one another in any network."""


@torch.no_grad()
def embeddings_of(classifier: WindowClassifier, windows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Places of windows, (batch, length, columns), on the unit sphere: float32 of shape (batch, dimension).

    NaN where a window is NaN all over, as one is that is not known: a companion's candles are missing.

    Raises ArtifactError for a network that has not learned likeness.
    """
    network = siamese_of(classifier)
    known = ~np.isnan(windows).all(axis=(1, 2))
    values = torch.from_numpy(np.ascontiguousarray(windows[known], dtype=np.float32))
    parts = [
        network.embed(2.0 * classifier.images(values[start : start + BATCH]) - 1.0).float()
        for start in range(0, len(values), BATCH)
    ]
    found = np.full((len(windows), network.dimension), np.nan, dtype=np.float32)
    if parts:
        found[known] = torch.cat(parts).numpy()
    return found


def most_similar(
    likeness: NDArray[np.floating], ends: NDArray[np.int64], *, count: int, apart: int
) -> NDArray[np.int64]:
    """Places of the `count` greatest likenesses whose windows end at least `apart` candles from one another.

    Args:
        likeness: shape (n,).
        ends: last candle of each window, shape (n,).
        count: at most.
        apart: candles; the length of a window where none shall share a candle.
    """
    chosen: list[int] = []
    for place in np.argsort(-likeness, kind="stable").tolist():
        if all(abs(int(ends[place]) - int(ends[other])) >= apart for other in chosen):
            chosen.append(place)
        if len(chosen) == count:
            break
    return np.array(chosen, dtype=np.int64)


def strangeness_of(place: NDArray[np.floating], past: NDArray[np.floating]) -> float:
    """How far a window stands from the nearest of others: mean distance of ten at most, from 0 to 2.

    Args:
        place: of the window, shape (dimension,).
        past: of the others, shape (n, dimension), at least one.
    """
    nearest = np.sort(np.asarray(past, dtype=np.float64) @ np.asarray(place, dtype=np.float64))[-NEIGHBOURS:]
    return float(np.sqrt(np.maximum(2.0 - 2.0 * nearest, 0.0)).mean())


def spread_of(places: NDArray[np.floating]) -> float:
    """How far apart windows stand from one another: the median distance of two, from 0 to 2; 0 of fewer than two.

    Args:
        places: on the unit sphere, shape (n, dimension); of more than `SPREAD_BY` so many are taken, evenly.
    """
    chosen = np.asarray(places, dtype=np.float64)[:: max(1, -(-len(places) // SPREAD_BY))]
    if len(chosen) < 2:
        return 0.0
    cosine = (chosen @ chosen.T)[np.triu_indices(len(chosen), k=1)]
    return float(np.median(np.sqrt(np.maximum(2.0 - 2.0 * cosine, 0.0))))


def count_apart(ends: NDArray[np.int64], length: int) -> int:
    """How many windows there are among others of which none shares more than half of its candles with another.

    Args:
        ends: last candle of each, increasing.
        length: candles from the first that a window holds to its last.
    """
    least, count, last = -(-length // 2), 0, None
    for end in ends.tolist():
        if last is None or end - last >= least:
            count, last = count + 1, end
    return count


def collapse_note(spread: float) -> str:
    """What to say of a network that puts all windows in about one place; empty of another."""
    return f"{_collapsed(spread)} {_AGAIN}" if spread < COLLAPSED else ""


def require_apart(spread: float) -> None:
    """Refuse a network of likeness that tells no window from another. Raises ArtifactError."""
    if spread < COLLAPSED:
        raise ArtifactError(_collapsed(spread), remedy=_AGAIN)


def _collapsed(spread: float) -> str:
    return (
        f"The network of likeness has collapsed: the median distance of two windows is {spread:.2g}, where 2 is the "
        "greatest. It hardly tells one window from another, so similarities, strangeness and changes mean nothing."
    )


_AGAIN: Final = (
    "Train it again: longer, with another siamese.loss, another training.learning_rate, or more candles; or take the "
    "recipe `siamese_factors`."
)


def siamese_of(classifier: WindowClassifier) -> SiameseNetwork:
    """The network of likeness. Raises ArtifactError for another kind."""
    network = classifier.network
    if not isinstance(network, SiameseNetwork):
        raise ArtifactError(
            "The model has learned classes, not likeness.", remedy="Train a recipe with [siamese], such as `siamese`."
        )
    return network
