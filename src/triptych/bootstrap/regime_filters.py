"""The regimes of a recipe: fitted where the network learns, told beside what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candles import Candles
from triptych.bootstrap.telling import Tell, silent
from triptych.domain import REGIMES, CandleSeries
from triptych.domain.errors import RecipeError
from triptych.inference import AbstractPredictor
from triptych.inference.regime_predictor import RegimePredictor, card_of
from triptych.inference.regimes import RegimeFilter
from triptych.settings import Recipe
from triptych.training.splits import Fold

COLUMNS = tuple(f"regime_{name}" for name in REGIMES)
"""Of recorded predictions: probability of each regime."""


def fitted_regimes(recipe: Recipe, dataset: Dataset, fold: Fold, tell: Tell = silent) -> dict[str, Any]:
    """What an artifact's card says of the filter, fitted on a fold's training segment; empty where none is wanted.

    A regime that is left out, or whose rule holds too seldom where it is told, is told of and stands in the card.
    """
    if not recipe.regimes.use:
        return {}
    start, stop = fold.train.start_ms, fold.train.stop_ms
    train = [one.between(*np.searchsorted(one.open_time_ms, (start, stop)).tolist()) for one in dataset.series]
    fitted = RegimeFilter.fit(train)
    for note in fitted.notes():
        tell(note)
    return card_of(fitted, recipe.regimes.memory)


def regime_columns(
    predictor: AbstractPredictor, series: CandleSeries, ends: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """The regimes at the closes of candles `ends`, one column each; none of a model that does not tell them."""
    if not isinstance(predictor, RegimePredictor):
        return {}
    return dict(zip(COLUMNS, predictor.regimes_over(series, ends).T, strict=True))


def with_regime_columns(predictions: pl.DataFrame, told: dict[str, Any], candles: Candles) -> pl.DataFrame:
    """Predictions with the regimes that a card's filter tells at their closes; as they are where it tells none."""
    if not told:
        return predictions
    regimes, parts = RegimeFilter.from_dict(told["filter"]), []
    for one in candles.series:
        mine = predictions.filter(pl.col("symbol") == one.symbol)
        ends = np.searchsorted(one.close_time_ms, mine["time"].cast(pl.Int64).to_numpy())
        rows = regimes.recent(one, told["memory"])[ends]
        parts.append(mine.with_columns(pl.Series(name, rows[:, i]) for i, name in enumerate(COLUMNS)))
    return pl.concat(parts).sort("time", "symbol")


def recorded_regimes(predictions: pl.DataFrame) -> NDArray[np.float64] | None:
    """The regimes of recorded predictions, shape (n, 5); None where none were told."""
    return predictions.select(COLUMNS).to_numpy() if COLUMNS[0] in predictions.columns else None


def require_regimes(recipe: Recipe, trained: Recipe, predictions: pl.DataFrame) -> None:
    """Raise RecipeError when trading asks for regimes that the run was not trained to tell."""
    if not recipe.regimes.use:
        return
    if recorded_regimes(predictions) is None:
        raise RecipeError(
            "regimes.use asks for the regimes of the market, and the run tells none.",
            remedy="Train again with regimes.use = true.",
        )
    if recipe.regimes.memory != trained.regimes.memory:
        raise RecipeError(
            f"regimes.memory is {recipe.regimes.memory}, and the run tells regimes from {trained.regimes.memory} "
            "candles.",
            remedy="Train again for another memory.",
        )
