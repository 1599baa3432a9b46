"""The look-up of a network of likeness, judged out of sample: does what followed like windows foretell what follows?"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.building import Dataset
from triptych.bootstrap.windowing import first_end, windows_at
from triptych.domain import BUY, SELL
from triptych.inference import load_artifact
from triptych.inference.classifier import WindowClassifier
from triptych.inference.similar import embeddings_of
from triptych.training.samples import Samples
from triptych.training.seeds import derive_seed
from triptych.training.siamese.lookup import NEIGHBOURS, by_embedding, foretold_by_look_up, joined, plain_ways
from triptych.training.tasks.figures import baselines_of, figure_of
from triptych.training.tasks.judging import judge_figure

QUERIES: Final = 1500
"""Test windows that are asked about at most, evenly chosen."""
STEP: Final = 4
"""Every so many candles a window of the past may be looked up, as `triptych similar` does."""
OURS: Final = "model"
HAR_X: Final = "har_x"
FIGURES: Final = ("direction", "size", "volatility")
Array = NDArray[np.float64]


def judge_look_up(dataset: Dataset, folds: list[Path]) -> dict[str, Any]:
    """Foretell what follows test windows by what followed the ten most similar windows of the past, and judge it.

    The past of a window is all that had ended, with its outcome known, when it ended, of the same instrument. Judged
    against as many windows picked by plain rules, see `training.siamese.lookup`; figures as `judge_figure` judges them:
    `direction` is 1 after buy, 0 after hold, -1 after sell, `size` the return, `volatility` its logarithm ahead. Beside
    the volatility stands what least squares foretells that reads past volatilities, ranges and the clock (`har_x`):
    what is looked up may beat every other look-up, and yet say less than a regression.

    Args:
        dataset: of the recipe.
        folds: folders of the folds, each with its artifact.
    """
    recipe = dataset.recipe
    tests, told, actual, regressed = list[Samples](), list[dict[str, Array]](), list[Array](), list[Array]()
    followed = [_followed(dataset, place) for place in range(len(dataset.series))]
    total = sum(len(dataset.samples(fold.test)) for fold in dataset.folds)
    for fold, home in zip(dataset.folds, folds, strict=True):
        test = dataset.samples(fold.test)
        test = test.at(np.arange(len(test))[:: -(-total // QUERIES)])
        classifier = load_artifact(home / "artifact").classifier()
        parts, order = [], []
        for place in range(len(dataset.series)):
            mine = np.flatnonzero(test.instrument == place)
            if len(mine):
                parts.append(_look_up(dataset, classifier, place, test.index[mine], followed[place], fold.number))
                order.append(mine)
        back = np.argsort(np.concatenate(order), kind="stable")
        told.append({name: values[back] for name, values in joined(parts).items()})
        actual.append(np.stack([followed[i][e] for i, e in zip(test.instrument, test.index, strict=True)]))
        tests.append(test)
        span = recipe.target.volatility_span
        train = dataset.samples(fold.train)
        regressed.append(baselines_of("volatility", dataset.series, dataset.targets, train, test, span=span)[HAR_X])
    said, true, samples = joined(told), np.concatenate(actual), Samples.concatenate(tests)
    known = np.isfinite(np.stack(list(said.values()))).all(axis=(0, 2))
    if not known.any():
        return {"neighbours": NEIGHBOURS, "figures": {}, "sentence": "The past holds too few windows to look any up."}
    samples, har_x = samples.at(np.flatnonzero(known)), np.concatenate(regressed)[known]
    judged = {}
    for i, figure in enumerate(FIGURES):
        rules = {name: values[known, i] for name, values in said.items() if name != OURS}
        if figure == "volatility":
            rules[HAR_X] = har_x
        seed = derive_seed(recipe.seed, "look-up", figure)
        judged[figure] = judge_figure(said[OURS][known, i], true[known, i], rules, samples, recipe.evaluation, seed)
    return {"neighbours": NEIGHBOURS, "figures": judged, "sentence": _sentence(judged)}


def _look_up(
    dataset: Dataset,
    classifier: WindowClassifier,
    place: int,
    asked: NDArray[np.int64],
    followed: Array,
    fold: int,
) -> dict[str, Array]:
    """What each way foretells of windows of one series, by name, shape (n_asked, figures)."""
    recipe, series = dataset.recipe, dataset.series[place]
    past = np.arange(first_end(recipe), int(asked.max()), STEP)
    ours, theirs = (
        embeddings_of(classifier, windows_at(recipe, series, ends, dataset.companions)) for ends in (past, asked)
    )
    there = np.isfinite(ours).all(axis=1)  # where a companion's candles are missing nothing can be looked up
    past, ours = past[there], ours[there]
    seed = derive_seed(recipe.seed, "look-up", series.symbol, fold)
    ways = {OURS: by_embedding(ours, theirs)} | plain_ways(series, past, asked, recipe.window.length, seed)
    return foretold_by_look_up(
        ways, past_ends=past, asked_ends=asked, followed=followed[past],
        length=recipe.window.length, horizon=recipe.target.horizon,
    )  # fmt: skip


def _followed(dataset: Dataset, place: int) -> Array:
    """What followed each candle of a series, shape (n_candles, figures); NaN where it is not known."""
    series, targets = dataset.series[place], dataset.targets[place]
    direction = np.where(targets.classes < 0, np.nan, (targets.classes == BUY) * 1.0 - (targets.classes == SELL))
    return np.column_stack([direction, *(figure_of(task, series, targets) for task in ("size", "volatility"))])


def _sentence(judged: dict[str, Any]) -> str:
    better = [name for name, one in judged.items() if one["verdict"] == "better"]
    if not better:
        return "What followed the most similar windows is not shown to foretell more than plain ways to look up."
    return f"What followed the most similar windows foretells the {' and the '.join(better)} better than plain ways do."
