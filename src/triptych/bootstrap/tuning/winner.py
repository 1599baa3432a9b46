"""The chosen candidate: measured once more, its skill averaged over seeds, trained anew and judged once on the test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from triptych.bootstrap.backtesting import backtest
from triptych.bootstrap.building import build_encoding
from triptych.bootstrap.files import EVALUATION_KEYS, read_json
from triptych.bootstrap.reporting import report
from triptych.bootstrap.run_folder import Run, trial_mark
from triptych.bootstrap.telling import Tell
from triptych.bootstrap.training import train
from triptych.bootstrap.tuning.measuring import elsewhere, measure_candidate, measure_size
from triptych.bootstrap.tuning.study import Place
from triptych.bootstrap.tuning.worker import Search
from triptych.domain.errors import RecipeError
from triptych.inference import load_artifact
from triptych.inference.latency import Latency, measure, served_step
from triptych.inference.predictor import OnnxPredictor
from triptych.inference.profile import Profile
from triptych.settings import Recipe
from triptych.settings.searching import candidate
from triptych.training.seeds import derive_seed
from triptych.training.tuning.limits import Measured, overruns


def confirm(recipe: Recipe, search: Search, here: Profile | None, there: Profile | None) -> Measured:
    """What a candidate costs, measured once more: a single quiet moment must not have let it through."""
    return elsewhere(measure_candidate(recipe, search.config), here, there, search.config.timed)


def winning_recipe(recipe: Recipe, row: dict[str, Any]) -> Recipe:
    """The recipe of a row of the leaderboard."""
    return candidate(recipe, row["changes"], name=f"{recipe.name}-tuned")


def average_seeds(recipe: Recipe, search: Search, row: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """The skill of the chosen candidate over several seeds, on the same folds: how much of it was the seed."""
    config = search.config
    found = [float(row[config.skill])]
    for number in range(1, config.refit_seeds):
        seed = derive_seed(recipe.seed, "refit", number) % 2**31
        again = candidate(recipe, row["changes"]).model_copy(update={"seed": seed})
        value = float(search.score_again(again)[config.skill])
        tell(f"Seed {number + 1} of {config.refit_seeds}: {config.skill} {value:.4f}.")
        found.append(value)
    spread = float(np.std(found, ddof=1)) if len(found) > 1 else None
    return {"skills": found, "mean": float(np.mean(found)), "spread": spread}


def refit(recipe: Recipe, place: Place, tell: Tell, progress_bar: bool | None) -> Run:
    """Train the chosen recipe on its own split. The run lies beside the study, so that one ledger counts both."""
    whole = place.folder.absolute()
    home = whole.with_name(f"{whole.name}-winner-{trial_mark(recipe)[:8]}")
    return train(recipe, folder=home, tell=tell, progress_bar=progress_bar)


def judge_winner(run: Run, search: Search, here: Profile | None, there: Profile | None, tell: Tell) -> dict[str, Any]:
    """Test, backtest, report, and the latency of the saved artifact, as it is served."""
    judged = backtest(run, tell=tell)
    written = report(run, tell=tell)
    evaluation = read_json(run.folder / "evaluation.json", EVALUATION_KEYS)
    latencies = served_latencies(run.artifact, run.recipe, search.config.threads)
    timed = latencies[search.config.timed]
    served = replace(measure_size(run.recipe), p50_ms=timed.p50_ms, p99_ms=timed.p99_ms)
    elsewhere_ = elsewhere(served, here, there, search.config.timed)
    return {
        "run": str(run.folder),
        "artifact": str(run.artifact),
        "report": str(written.html),
        "measured_here": served.to_dict(),
        "measured": elsewhere_.to_dict(),
        "served_here": {name: {"p50_ms": one.p50_ms, "p99_ms": one.p99_ms} for name, one in latencies.items()},
        "within_budget": not overruns(elsewhere_, search.config.budget),
        "overruns": overruns(elsewhere_, search.config.budget),
        "test": {"mcc": evaluation["metrics"]["mcc"], "n": evaluation["n"], "effective_n": evaluation["effective_n"]},
        "total_return": judged["performance"]["strategy"]["total_return"],
        "benchmark_return": judged["performance"]["benchmark"]["total_return"],
        "sharpe": judged["performance"]["strategy"]["sharpe"],
        "deflated_sharpe": judged["luck"]["deflated_sharpe"],
        "trials": judged["trials"],
        "verdict": judged["verdict"],
    }


def served_latencies(artifact: Path, recipe: Recipe, threads: int) -> dict[str, Latency]:
    """What a prediction of a saved artifact takes as it is served: of a `window`, and of a `step` where it has one."""
    saved = load_artifact(artifact)
    width = len(build_encoding(recipe).columns)
    predictor = OnnxPredictor(saved.folder / "model.onnx", length=recipe.window.length, width=width, threads=threads)
    window = np.linspace(1.0, 2.0, recipe.window.length * width, dtype=np.float32).reshape(1, -1, width)
    found = {"window": measure(lambda: predictor.probabilities(window))}
    if saved.streams:
        found["step"] = measure(served_step(saved.step(), width))
    return found


def no_candidate(results: dict[str, Any]) -> RecipeError:
    """Why there is nothing to choose, as an error."""
    rows = results["leaderboard"]
    reasons = "; ".join(dict.fromkeys(row["reason"] for row in rows if row["reason"])) or "no trial has ended"
    return RecipeError(
        f"None of {len(rows)} candidates came to its end: {reasons}.",
        remedy="Raise tune.trials or tune.timeout_s, mend [tune.space], or raise tune.budget.",
    )
