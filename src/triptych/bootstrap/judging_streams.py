"""A model that answers candle by candle, held against the same model asked window by window."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.building import Dataset
from triptych.domain import CLASSES, CandleSeries
from triptych.inference import Artifact
from triptych.training.comparison import skill, skill_difference
from triptych.training.samples import Samples
from triptych.training.seeds import derive_seed

COLUMNS = tuple(f"stream_{name}" for name in CLASSES)


def streamed(
    artifact: Artifact, dataset: Dataset, series: CandleSeries, ends: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """What the model says at `ends` with its memory carried along, one column a class; none where it cannot stream.

    NaN where the history is shorter than its longest memory, or a row of factors is not known.
    """
    if not artifact.streams:
        return {}
    predictor = artifact.streaming_predictor()
    found = np.full((len(ends), len(CLASSES)), np.nan)
    long_enough = ends >= predictor.length - 1
    if long_enough.any():
        found[long_enough] = predictor.over(series, ends[long_enough], dataset.companions)
    return {name: found[:, i] for i, name in enumerate(COLUMNS)}


def judge_stream(
    dataset: Dataset,
    samples: Samples,
    folds: NDArray[np.int64],
    windows: NDArray[np.float64],
    streams: NDArray[np.float64],
) -> dict[str, Any]:
    """Both ways to ask on the samples that both answered.

    Args:
        dataset: with the recipe's way to judge.
        samples: of all test segments. folds: of each.
        windows, streams: probabilities of shape (n_samples, 3) in their order; those of `streams` may be NaN.

    Returns:
        JSON-ready: `n`, the Matthews correlation of `window` and `stream` with the `difference` stream less window
        (value, low, high), `agreement` (share of samples with the same likeliest class), `mean_distance` and
        `largest_distance` between probabilities, and a `sentence`. Empty where the stream answered nowhere.
    """
    known = np.isfinite(streams).all(axis=1)
    if not known.any():
        return {}
    test = Samples(**{name: getattr(samples, name)[known] for name in Samples.__dataclass_fields__})
    ours, theirs, folds = streams[known], windows[known], folds[known]
    config, seed = dataset.recipe.evaluation, derive_seed(dataset.recipe.seed, "stream")
    distance = np.abs(ours - theirs)
    found: dict[str, Any] = {
        "n": len(test),
        "window": skill(theirs, test, config, seed, folds=folds),
        "stream": skill(ours, test, config, seed, folds=folds),
        "difference": skill_difference(ours, theirs, test, config, seed, folds=folds),
        "agreement": float((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean()),
        "mean_distance": float(distance.mean()),
        "largest_distance": float(distance.max()),
    }
    return found | {"sentence": _sentence(found)}


def _sentence(found: dict[str, Any]) -> str:
    agreement = f"Asked candle by candle it says the same class on {found['agreement']:.1%} of {found['n']:,} windows"
    difference = found["difference"]
    if difference["value"] is None or difference["low"] is None:
        return f"{agreement}; there is too little to compare their skill."
    words = f"{difference['value']:+.3f} in MCC, 95 % interval {difference['low']:+.3f} to {difference['high']:+.3f}"
    if difference["low"] > 0:
        return f"{agreement} and is better than window by window: {words}."
    if difference["high"] < 0:
        return f"{agreement} and is worse than window by window: {words}."
    return f"{agreement}; their skill cannot be told apart: {words}."


def stream_columns(predictions: pl.DataFrame) -> list[str]:
    """The columns of streamed probabilities, where the predictions hold them."""
    return [name for name in COLUMNS if name in predictions.columns]
