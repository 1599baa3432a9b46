"""From a recipe and its variants to one table: what does each part add, out of sample?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.backtesting import PROBABILITIES, backtest
from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candles import Tell, load_candles, silent
from triptych.bootstrap.files import EVALUATION_KEYS, read_frame, read_json
from triptych.bootstrap.learning import train
from triptych.bootstrap.provenance import fingerprint
from triptych.bootstrap.run_folder import RUNS, Run, recipe_hash
from triptych.bootstrap.voting import recipe_of_labels
from triptych.domain.errors import RecipeError, RunError
from triptych.domain.files import write_json
from triptych.settings import Recipe, variants_of
from triptych.training.comparison import skill_difference
from triptych.training.samples import Samples
from triptych.training.seeds import derive_seed

RESULT = "ablation.json"


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """Where the runs of an ablation lie, and its table: one row a variant, the recipe itself first."""

    folder: Path
    rows: list[dict[str, Any]]


def ablate(recipe: Recipe, *, folder: Path | None = None, tell: Tell = silent) -> Ablation:
    """Train and backtest a recipe and each of its variants, and hold every variant against the recipe.

    All variants are trained before the first backtest is judged, so that each is deflated by the number of all. What is
    complete is not done twice: a stopped ablation goes on where it was.

    Args:
        recipe: with `ablation` naming at least one variant.
        folder: of the runs, one in it for each variant; by default runs/NAME-ablation-FINGERPRINT.
        tell: told every stage in words.

    Returns:
        Rows with `variant`, `changes`, `run`, `mcc` (value, low, high), `difference` (to the recipe, paired on the test
        samples that both have, with its interval), `best_baseline`, `total_return`, `deflated_sharpe`, `trades`,
        `verdict`. Also written to the folder as ablation.json.

    Raises RecipeError when there is nothing to compare, and whatever training raises.
    """
    recipes = variants_of(recipe)
    if len(recipes) < 2:
        raise RecipeError(
            f"{recipe.name} names no variants.",
            remedy="Add a table to the recipe: [[ablation]] with name and changes.",
        )
    home = folder or RUNS / f"{recipe.name}-ablation-{fingerprint(recipe_hash(recipe.to_toml()))[:8]}"
    runs = {}
    for number, (name, variant) in enumerate(recipes.items()):
        tell(f"Variant {number + 1} of {len(recipes)}: {name}.")
        runs[name] = train(variant, folder=home / f"{number}-{_slug(name)}", tell=tell, progress_bar=False)
    judged = {name: backtest(run, tell=tell) for name, run in runs.items()}
    first, *_ = runs
    asked = {name: _answers(run) for name, run in runs.items()}
    rows = []
    for name, run in runs.items():
        changes = next((dict(v.changes) for v in recipe.ablation if v.name == name), {})
        row = {"variant": name, "changes": changes, "run": run.folder.name, **_figures(run, judged[name])}
        if name != first:
            row["difference"] = _difference(recipes[name], asked[name], asked[first])
        rows.append(row)
    write_json(home / RESULT, {"recipe": recipe.name, "seed": recipe.seed, "rows": rows})
    return Ablation(folder=home, rows=rows)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "variant"


def _figures(run: Run, judged: dict[str, Any]) -> dict[str, Any]:
    evaluation = read_json(run.folder / "evaluation.json", EVALUATION_KEYS)
    best = evaluation["comparison"]["best_baseline"]
    return {
        "mcc": evaluation["metrics"]["mcc"],
        "accuracy": evaluation["metrics"]["accuracy"],
        "roc_auc": evaluation["metrics"]["roc_auc"],
        "best_baseline": {"name": best, "mcc": evaluation["baselines"][best]["mcc"]["value"]},
        "effective_n": evaluation["effective_n"],
        "total_return": judged["performance"]["strategy"]["total_return"],
        "benchmark_return": judged["performance"]["benchmark"]["total_return"],
        "deflated_sharpe": judged["luck"]["deflated_sharpe"],
        "trades": judged["performance"]["trades"]["count"],
        "trials": judged["trials"],
        "verdict": judged["verdict"]["sentence"],
    }


def _answers(run: Run) -> tuple[Samples, NDArray[np.str_], NDArray[np.float64]]:
    """Test samples of all folds, their symbols, and the run's probabilities for them, shape (n_samples, 3)."""
    dataset = Dataset.of(recipe_of_labels(run.recipe), load_candles(run.recipe))
    symbols = np.array([one.symbol for one in dataset.series])
    predictions = read_frame(run.folder / "predictions.parquet", ("time", "symbol", "fold", *PROBABILITIES))
    tests = [dataset.samples(fold.test) for fold in dataset.folds]
    samples = Samples.concatenate(tests)
    wanted = pl.DataFrame(
        {
            "symbol": symbols[samples.instrument],
            "time": pl.Series(samples.time_ms).cast(pl.Datetime("ms", "UTC")),
            "fold": np.repeat([fold.number for fold in dataset.folds], [len(test) for test in tests]),
        }
    )
    found = wanted.join(predictions, on=["symbol", "time", "fold"], how="left", maintain_order="left")
    said = found.select(PROBABILITIES).to_numpy()
    if run.recipe.members:  # judged where every member is, after what it was fitted on
        there = np.flatnonzero(np.isfinite(said).all(axis=1))
        samples = Samples(**{name: getattr(samples, name)[there] for name in Samples.__dataclass_fields__})
        said = said[there]
    return samples, symbols[samples.instrument], said


def _difference(
    recipe: Recipe,
    ours: tuple[Samples, NDArray[np.str_], NDArray[np.float64]],
    theirs: tuple[Samples, NDArray[np.str_], NDArray[np.float64]],
) -> dict[str, Any]:
    """Skill of a variant less that of the recipe on the decisions that both were judged on, with equal labels."""
    places = [{key: i for i, key in enumerate(_keys(*side[:2]))} for side in (ours, theirs)]
    common = [key for key in places[0] if key in places[1]]
    if not common:
        return {"value": None, "low": None, "high": None, "n": 0, "reason": "No test sample in common."}
    mine, other = (np.array([place[key] for key in common]) for place in places)
    samples = Samples(**{name: getattr(ours[0], name)[mine] for name in Samples.__dataclass_fields__})
    if np.isnan(ours[2][mine]).any() or np.isnan(theirs[2][other]).any():
        raise RunError("A run lacks predictions for its own test samples.", remedy="Train it again with --fresh.")
    seed = derive_seed(recipe.seed, "ablation")
    found = skill_difference(ours[2][mine], theirs[2][other], samples, recipe.evaluation, seed)
    return {**found, "n": len(common)}


def _keys(samples: Samples, symbols: NDArray[np.str_]) -> list[tuple[str, int, int]]:
    return list(zip(symbols.tolist(), samples.time_ms.tolist(), samples.label.tolist(), strict=True))
