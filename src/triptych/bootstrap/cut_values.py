"""Factors that are read as they are, without scores: how much of them the encoding's clip cuts."""

from __future__ import annotations

import math

import numpy as np

from triptych.bootstrap.building import Dataset
from triptych.features import describe, resolve

LEAST_SHARE = 0.05
"""Of a factor's values in the training part, from which on a cut is told."""
KEPT = 0.99
"""Share of the values of each factor that the clip which is advised keeps."""


def cut_note(dataset: Dataset) -> str:
    """What the encoding's clip cuts of the first fold's training part, and the clip that would not; empty if little.

    Only of factors that are not scored (features.normalisation = "none"): scores have one scale on every market, and
    returns of days are many times those of minutes. Waves of the clock are left out: their sign is meant.
    """
    recipe = dataset.recipe
    clip = getattr(recipe.encoding, "clip", None)
    if dataset.tables is None or clip is None or recipe.features.normalisation != "none" or not recipe.features.names:
        return ""
    names = resolve(recipe.features.names)
    chosen = [column for column, name in enumerate(names) if describe(name).unit != "sine"]
    indices = dataset.folds[0].train.indices
    found = [table.values[table.ends[index]][:, chosen] for table, index in zip(dataset.tables, indices, strict=True)]
    rows = np.abs(np.concatenate(found).astype(np.float64))
    shares = (rows > clip).mean(axis=0)
    told = [(share, names[column]) for share, column in zip(shares, chosen, strict=True) if share >= LEAST_SHARE]
    if not told:
        return ""
    words = ", ".join(f"{share:.0%} of {name}" for share, name in sorted(told, reverse=True))
    wide = _rounded_up(float(np.nanquantile(rows, KEPT, axis=0).max()))
    return (
        f"encoding.clip = {clip:g} cuts values of the training part: {words}. What is cut looks alike to the network. "
        f"To keep {KEPT:.0%} of each: --set features.clip={wide:g} --set encoding.clip={wide:g}."
    )


def _rounded_up(value: float) -> float:
    """To one digit that is not 0."""
    step = 10.0 ** math.floor(math.log10(value))
    return math.ceil(value / step) * step
