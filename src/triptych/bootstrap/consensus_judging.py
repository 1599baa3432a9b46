"""A consensus against what happened, beside its members and the usual baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.building import Dataset
from triptych.bootstrap.judging import leak_meter_of
from triptych.bootstrap.voting import KEYS, predictions_from, round_trip_cost
from triptych.domain import CLASSES, Prediction
from triptych.domain.errors import RunError
from triptych.settings import Recipe
from triptych.strategies import create_strategy
from triptych.training.baselines import baseline_probabilities
from triptych.training.consensus_report import CONSENSUS, consensus_report
from triptych.training.evaluation import evaluate
from triptych.training.samples import Samples
from triptych.training.seeds import derive_seed
from triptych.training.splits import Fold
from triptych.training.stacking import Votes


def judge_consensus(
    recipe: Recipe, datasets: Mapping[str, Dataset], folds: Sequence[Fold], votes: Votes, predictions: pl.DataFrame
) -> dict[str, Any]:
    """Metrics of a consensus with intervals; among its baselines stands every member alone, on the same samples."""
    names = tuple(datasets)
    first = datasets[names[0]]
    found: dict[str, list[NDArray[np.float64]]] = {}
    counts = {name: np.zeros(len(CLASSES), dtype=np.int64) for name in ("train", "validation", "test")}
    tests, ours = [], []
    for fold in folds:
        mine = votes.only(votes.fold == fold.number)
        train, test = first.samples(fold.train), mine.samples
        for segment, some in (("train", train), ("validation", first.samples(fold.validation)), ("test", test)):
            counts[segment] += np.array(some.class_counts)
        tests.append(test)
        ours.append(_recorded(first, fold, test, predictions))
        baselines = baseline_probabilities(
            first.series, recipe.target, train, test, length=first.recipe.window.length, lags=recipe.evaluation.lags
        )
        for i, name in enumerate(names):
            baselines[f"member {name}"] = mine.votes[:, i]
        for name, probabilities in baselines.items():
            found.setdefault(name, []).append(probabilities)
    evaluation = evaluate(
        np.concatenate(ours),
        Samples.concatenate(tests),
        {name: np.concatenate(parts) for name, parts in found.items()},
        {name: [int(n) for n in count] for name, count in counts.items()},
        recipe.evaluation,
        derive_seed(recipe.seed, "evaluation"),
        folds=np.repeat(np.arange(len(tests)), [len(test) for test in tests]),
    )
    return evaluation | {"leak_meter": leak_meter_of(first, predictions)}


def report_consensus(
    recipe: Recipe, symbols: Sequence[str], votes: Votes, frame: pl.DataFrame, predictions: pl.DataFrame
) -> dict[str, Any]:
    """Coverage, precision, error correlation and lift; see `training.consensus_report`.

    What a model would have entered is asked of the recipe's own strategy, flat before every sample: the members by
    themselves, the consensus with all it demands; each minds the regimes where the recipe does. `symbols` are those of
    the series, in their order.
    """
    names = [member.name for member in recipe.members]
    judged = votes.only(np.isin(votes.fold, predictions["fold"].unique().to_numpy()))
    said = predictions_from(predictions, frame, names)
    place = {(one.symbol, one.time_ms): one for one in said}
    ours = [place[symbols[i], t] for i, t in zip(judged.samples.instrument, judged.samples.time_ms, strict=True)]
    probabilities = {CONSENSUS: np.array([_row(one) for one in ours])}
    alone = create_strategy(recipe.strategy, None, recipe.regimes)
    together = create_strategy(recipe.strategy, recipe.consensus, recipe.regimes)
    directions = {CONSENSUS: _entered(together, ours)}
    for i, name in enumerate(names):
        probabilities[name] = judged.votes[:, i]
        single = [
            Prediction(
                symbol=one.symbol,
                time_ms=one.time_ms,
                probability_sell=row[0],
                probability_hold=row[1],
                probability_buy=row[2],
                regimes=one.regimes,
                since_switch=one.since_switch,
            )
            for one, row in zip(ours, probabilities[name].tolist(), strict=True)
        ]
        directions[name] = _entered(alone, single)
    seed = derive_seed(recipe.seed, "consensus")
    report = consensus_report(
        probabilities,
        directions,
        judged.samples,
        judged.forward_return,
        recipe.evaluation,
        seed,
        cost=round_trip_cost(recipe),
        folds=judged.fold,
    )
    return {"method": recipe.consensus.method, **report}


def _row(one: Prediction) -> tuple[float, float, float]:
    return one.probability_sell, one.probability_hold, one.probability_buy


def _entered(strategy: Any, predictions: Sequence[Prediction]) -> NDArray[np.int64]:
    return np.array([np.sign(strategy.decide(one, 0.0).target) for one in predictions], dtype=np.int64)


def _recorded(dataset: Dataset, fold: Fold, test: Samples, predictions: pl.DataFrame) -> NDArray[np.float64]:
    """The recorded predictions in the order of the samples, shape (n_samples, 3)."""
    symbols = np.array([one.symbol for one in dataset.series])
    wanted = pl.DataFrame(
        {
            "time": pl.Series(test.time_ms).cast(pl.Datetime("ms", "UTC")),
            "symbol": symbols[test.instrument],
            "fold": pl.Series([fold.number] * len(test), dtype=pl.Int64),
        }
    )
    found = wanted.join(predictions, on=list(KEYS), how="left", maintain_order="left")
    rows: NDArray[np.float64] = found.select(f"probability_{name}" for name in CLASSES).to_numpy()
    if np.isnan(rows.astype(np.float64)).any():
        raise RunError(f"Fold {fold.number}: test samples have no prediction.", remedy="Train again with --fresh.")
    return rows
