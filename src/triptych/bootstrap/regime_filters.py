"""The regimes of a recipe: fitted where the network learns, told beside what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candles import Candles
from triptych.bootstrap.regimes import fit_regimes
from triptych.bootstrap.telling import Tell, silent
from triptych.domain import REGIMES, CandleSeries
from triptych.domain.errors import RecipeError
from triptych.inference import AbstractPredictor
from triptych.inference.regime_predictor import RegimePredictor
from triptych.inference.regime_teller import RegimeTeller, ToldRegimes
from triptych.settings import Recipe
from triptych.training.seeds import derive_seed
from triptych.training.splits import Fold

COLUMNS = tuple(f"regime_{name}" for name in REGIMES)
"""Of recorded predictions: probability of each regime."""
SINCE: Final = "since_switch"
"""Of recorded predictions: candles since the last alarm of a switch, -1 where there was none of late."""


def fitted_regimes(
    recipe: Recipe, dataset: Dataset, fold: Fold, home: Path, tell: Tell = silent
) -> RegimeTeller | None:
    """What tells the regimes, fitted on a fold's training segment; None where none is wanted.

    A network is saved in the fold's folder `home`. A regime that is left out, or whose rule holds too seldom where it
    is told, is told of and stands in the card.
    """
    if not recipe.regimes.use:
        return None
    start, stop = fold.train.start_ms, fold.train.stop_ms
    train = [one.between(*np.searchsorted(one.open_time_ms, (start, stop)).tolist()) for one in dataset.series]
    seed = derive_seed(recipe.seed, "regimes", fold.number)
    return fit_regimes(train, recipe.regimes, home / "regimes", seed=seed, tell=tell)


def regime_columns(
    predictor: AbstractPredictor, series: CandleSeries, ends: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """The regimes at the closes of candles `ends`, one column each; none of a model that does not tell them."""
    if not isinstance(predictor, RegimePredictor):
        return {}
    return _columns(predictor.regimes_over(series, ends))


def _columns(told: ToldRegimes) -> dict[str, NDArray[Any]]:
    return {**dict(zip(COLUMNS, told.probability.T, strict=True)), SINCE: told.since_switch}


def with_regime_columns(predictions: pl.DataFrame, teller: RegimeTeller | None, candles: Candles) -> pl.DataFrame:
    """Predictions with what is told of regimes at their closes; as they are where nothing is."""
    if teller is None:
        return predictions
    parts = []
    for one in candles.series:
        mine = predictions.filter(pl.col("symbol") == one.symbol)
        ends = np.searchsorted(one.close_time_ms, mine["time"].cast(pl.Int64).to_numpy())
        columns = _columns(teller.at(one, ends))
        parts.append(mine.with_columns(pl.Series(name, values) for name, values in columns.items()))
    return pl.concat(parts).sort("time", "symbol")


def recorded_regimes(predictions: pl.DataFrame) -> ToldRegimes | None:
    """What was told of regimes beside recorded predictions; None where nothing was."""
    if COLUMNS[0] not in predictions.columns:
        return None
    tells_switches = SINCE in predictions.columns
    return ToldRegimes(
        probability=predictions.select(COLUMNS).to_numpy(),
        since_switch=predictions[SINCE].to_numpy() if tells_switches else np.full(len(predictions), -1),
    )


def require_regimes(recipe: Recipe, trained: Recipe, predictions: pl.DataFrame) -> None:
    """Raise RecipeError when trading asks for regimes or switches that the run was not trained to tell."""
    wanted, learnt = recipe.regimes, trained.regimes
    if not wanted.use:
        return
    if recorded_regimes(predictions) is None:
        raise RecipeError(
            "regimes.use asks for the regimes of the market, and the run tells none.",
            remedy="Train again with regimes.use = true.",
        )
    if wanted.memory != learnt.memory:
        raise RecipeError(
            f"regimes.memory is {wanted.memory}, and the run tells regimes from {learnt.memory} candles.",
            remedy="Train again for another memory.",
        )
    if wanted.network != learnt.network:
        raise RecipeError(
            "regimes.network is not the one that the run was trained with.",
            remedy="Leave it as it is, or train again.",
        )
    if wanted.on_switch.false_alarms != learnt.on_switch.false_alarms:
        raise RecipeError(
            f"regimes.on_switch.false_alarms is {wanted.on_switch.false_alarms:g}, and the run's alarms were set for "
            f"{learnt.on_switch.false_alarms:g}.",
            remedy="Train again for another number of false alarms.",
        )
    if wanted.on_switch.hold and SINCE not in predictions.columns:
        raise RecipeError(
            "regimes.on_switch asks for alarms of switches, and the run is older than they are.",
            remedy="Train again.",
        )
