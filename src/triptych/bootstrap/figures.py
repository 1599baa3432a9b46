"""Figures that a model foretells beside the direction: as columns of recorded predictions, and whether there are any.

What is traded by them in a backtest comes out of these columns, and live out of the same network.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.building import Dataset
from triptych.domain import CandleSeries
from triptych.domain.errors import RecipeError, RunError
from triptych.inference import AbstractPredictor
from triptych.inference.base import Figures
from triptych.settings import Recipe

PREFIX = "foretold_"
"""Of the columns, before the name of the task."""


def figure_columns(
    predictor: AbstractPredictor, dataset: Dataset, series: CandleSeries, ends: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Figures that the model foretells at the closes of candles `ends`, one column a task of the recipe."""
    wanted = dataset.recipe.foretold_figures
    found = predictor.foretold_over(series, ends, dataset.companions) if wanted else {}
    return {PREFIX + task: values.astype(np.float64) for task, values in found.items() if task in wanted}


def recorded_figures(predictions: pl.DataFrame) -> Figures:
    """The figures of recorded predictions by task, each of shape (n,); empty where none were foretold."""
    return {
        name.removeprefix(PREFIX): predictions[name].to_numpy()
        for name in predictions.columns
        if name.startswith(PREFIX)
    }


def require_recorded_figures(recipe: Recipe, predictions: pl.DataFrame) -> None:
    """Raise RunError when trading asks for figures that were not recorded with the predictions."""
    missing = [task for task in recipe.traded_figures if task not in recorded_figures(predictions)]
    if missing:
        raise RunError(
            f"The recipe trades by the foretold {' and '.join(missing)}, which was not recorded with the predictions.",
            remedy="Train again with --fresh.",
        )


def require_figures(recipe: Recipe, predictor: AbstractPredictor) -> None:
    """Raise RecipeError when a recipe trades by figures that its model, asked in this way, does not foretell."""
    if recipe.traded_figures and not predictor.horizon:
        raise RecipeError(
            f"The recipe trades by the {' and the '.join(recipe.traded_figures)} that its model foretells, and a model "
            "that is asked candle by candle foretells none.",
            remedy="Set sequence_models = 'window', or trade without them.",
        )
