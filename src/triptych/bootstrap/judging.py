"""Out-of-sample predictions against what happened."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.building import Dataset
from triptych.bootstrap.judging_streams import judge_stream, stream_columns
from triptych.domain import CLASSES
from triptych.domain.errors import RunError
from triptych.training import leak_meter
from triptych.training.baselines import baseline_probabilities
from triptych.training.evaluation import evaluate
from triptych.training.samples import Samples
from triptych.training.seeds import derive_seed
from triptych.training.splits import Fold
from triptych.training.tasks.figures import baselines_of
from triptych.training.tasks.judging import judge_figure


def judge_predictions(dataset: Dataset, predictions: pl.DataFrame) -> dict[str, Any]:
    """Metrics, intervals and baselines over the test samples of all folds; see `training.evaluation.evaluate`.

    `leak_meter` says what a careless split would have claimed; see `training.leak_meter`. `tasks` judges figures that
    are foretold beside the class, `stream` the same model asked candle by candle; each where there is any.
    """
    recipe = dataset.recipe
    tests, ours, baselines = [], [], []
    counts = {name: np.zeros(len(CLASSES), dtype=np.int64) for name in ("train", "validation", "test")}
    for fold in dataset.folds:
        train, test = dataset.samples(fold.train), dataset.samples(fold.test)
        for segment in fold.segments:
            counts[segment.name] += np.array(dataset.samples(segment).class_counts)
        tests.append(test)
        ours.append(_probabilities(dataset, fold, test, predictions))
        baselines.append(
            baseline_probabilities(
                dataset.series,
                recipe.target,
                train,
                test,
                length=recipe.window.length,
                lags=recipe.evaluation.lags,
            )
        )
    folds = np.repeat(np.arange(len(tests)), [len(test) for test in tests])
    evaluation = evaluate(
        np.concatenate(ours),
        Samples.concatenate(tests),
        {name: np.concatenate([fold[name] for fold in baselines]) for name in baselines[0]},
        {name: [int(n) for n in count] for name, count in counts.items()},
        recipe.evaluation,
        derive_seed(recipe.seed, "evaluation"),
        folds=folds,
    )
    more: dict[str, Any] = {"tasks": judge_tasks(dataset, predictions)}
    if stream_columns(predictions):
        streams = [_recorded(dataset, fold, test, predictions, stream_columns(predictions))
                   for fold, test in zip(dataset.folds, tests, strict=True)]  # fmt: skip
        more["stream"] = judge_stream(
            dataset, Samples.concatenate(tests), folds, np.concatenate(ours), np.concatenate(streams)
        )
    more["leak_meter"] = leak_meter_of(dataset, predictions)
    return evaluation | {name: found for name, found in more.items() if found}


def judge_tasks(dataset: Dataset, predictions: pl.DataFrame) -> dict[str, Any]:
    """Each figure foretold beside the direction, held against its own baselines; see `training.tasks.judging`."""
    recipe = dataset.recipe
    found: dict[str, Any] = {}
    for task in recipe.foretold_figures:
        tests, ours, actual, rules = [], [], [], []
        for fold in dataset.folds:
            train, test = dataset.samples(fold.train), dataset.samples(fold.test)
            said = _recorded(dataset, fold, test, predictions, [f"foretold_{task}"])[:, 0]
            # Volatilities are compared by their logarithm.
            ours.append(np.log(np.maximum(said, 1e-12)) if task == "volatility" else said)
            actual.append(dataset.figures(task, test))
            span = recipe.target.volatility_span
            rules.append(baselines_of(task, dataset.series, dataset.targets, train, test, span=span))
            tests.append(test)
        found[task] = judge_figure(
            np.concatenate(ours),
            np.concatenate(actual),
            {name: np.concatenate([one[name] for one in rules]) for name in rules[0]},
            Samples.concatenate(tests),
            recipe.evaluation,
            derive_seed(recipe.seed, "tasks", task),
        )
    return found


def leak_meter_of(dataset: Dataset, predictions: pl.DataFrame) -> dict[str, Any]:
    """What a shuffled split would have claimed, measured on the last fold; the trained model stands beside it."""
    recipe, fold = dataset.recipe, dataset.folds[-1]
    train, test = (Samples.of(dataset.series, dataset.targets, segment) for segment in (fold.train, fold.test))
    seed = derive_seed(recipe.seed, "leak meter")
    columns = [f"probability_{name}" for name in CLASSES]
    rows = _joined(dataset, fold, test, predictions, columns).to_numpy().astype(np.float64)
    said = np.where(np.isfinite(rows).all(axis=1), rows.argmax(axis=1), -1)
    return leak_meter.measure(
        dataset.series, train, test, length=recipe.window.length, seed=seed, said=said
    ).to_dict()  # fmt: skip


def _probabilities(dataset: Dataset, fold: Fold, test: Samples, predictions: pl.DataFrame) -> NDArray[np.float64]:
    """The recorded predictions in the order of the samples, shape (n_samples, 3)."""
    return _recorded(dataset, fold, test, predictions, [f"probability_{name}" for name in CLASSES])


def _recorded(
    dataset: Dataset, fold: Fold, test: Samples, predictions: pl.DataFrame, columns: list[str]
) -> NDArray[np.float64]:
    """Columns of the recorded predictions in the order of the samples, shape (n_samples, columns)."""
    found = _joined(dataset, fold, test, predictions, columns)
    if found.null_count().sum_horizontal().item():
        raise RunError(
            f"Fold {fold.number}: {found[columns[0]].null_count()} test samples have no prediction.",
            remedy="Train again with --fresh.",
        )
    return found.to_numpy()


def _joined(dataset: Dataset, fold: Fold, test: Samples, predictions: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Columns of the recorded predictions in the order of the samples, null where there is none."""
    symbols = np.array([one.symbol for one in dataset.series])
    wanted = pl.DataFrame(
        {"symbol": symbols[test.instrument], "time": pl.Series(test.time_ms).cast(pl.Datetime("ms", "UTC"))}
    )
    recorded = predictions.filter(fold=fold.number)
    return wanted.join(recorded, on=["symbol", "time"], how="left", maintain_order="left").select(columns)
