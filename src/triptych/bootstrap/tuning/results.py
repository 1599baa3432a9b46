"""What a search found: leaderboard, the chosen candidate, and how much of it may be luck."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import polars as pl
from optuna.trial import FrozenTrial, TrialState

from triptych.backtest.bootstrap import effective_observations, optimal_block_length
from triptych.backtest.overfitting import probability_of_overfitting
from triptych.backtest.sharpe import deflated_sharpe, expected_best_sharpe, sharpe_moments
from triptych.bootstrap.tuning.scoring import returns_of
from triptych.bootstrap.tuning.study import Place
from triptych.training.tuning.config import Config
from triptych.training.tuning.limits import Measured
from triptych.training.tuning.selection import Scored, choose, pareto


def scored_trials(study: optuna.Study, config: Config) -> list[Scored]:
    """Trials that came to their end, with their skill and cost."""
    found = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        measured = Measured.of(trial.user_attrs["measured"])
        latency = measured.latency(config.budget)
        cost = {"latency": latency, "parameters": float(measured.parameters), "none": float(measured.parameters)}
        found.append(
            Scored(
                number=trial.number,
                skill=float(trial.user_attrs[config.skill]),
                error=float(trial.user_attrs[f"{config.skill}_error"]),
                cost=cost[config.cost],
            )
        )
    return found


def gather_results(study: optuna.Study, place: Place, refused: tuple[int, ...] = ()) -> dict[str, Any]:
    """Everything a search found, JSON-ready.

    Args:
        study: with its trials.
        place: of the study.
        refused: trials that are out of the choice, because a second measurement put them beyond the budget.

    Returns:
        `counts` by outcome, `leaderboard` (one row a trial, judged ones first by falling skill), `pareto` and `chosen`
        (numbers of trials; None when nothing was judged), `overfitting`, `deflated`, `budget`, `mark`.
    """
    config = place.recipe.tune
    scored = [one for one in scored_trials(study, config) if one.number not in refused]
    front, chosen = pareto(scored), choose(scored)
    rows = [_row(trial) for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    rows.sort(key=lambda row: (row["outcome"] != "judged", -(row.get(config.skill) or 0.0), row["trial"]))
    matrix = return_matrix(study, place.folder)
    overfitting = probability_of_overfitting(matrix) if matrix is not None else None
    return {
        "name": place.recipe.name,
        "seed": place.recipe.seed,
        "skill": config.skill,
        "cost": config.cost,
        "folds": config.folds,
        "counts": dict(Counter(row["outcome"] for row in rows)),
        "leaderboard": rows,
        "pareto": [one.number for one in front],
        "refused": list(refused),
        "chosen": None if chosen is None else chosen.number,
        "best": max(front, key=lambda one: one.skill).number if front else None,
        "rule": "the cheapest of the Pareto set whose skill is within one standard error of the best",
        "overfitting": None if overfitting is None else overfitting.to_dict(),
        "deflated": None if chosen is None else _deflated(study, place.folder, chosen.number),
        "budget": config.budget.model_dump(mode="json"),
        "mark": place.mark,
    }


def return_matrix(study: optuna.Study, folder: Path) -> np.ndarray | None:
    """Returns a candle of every judged candidate, shape (n_times, n_candidates), at the times that all have; or None.

    A candidate that two trials arrived at counts once.
    """
    homes = dict.fromkeys(
        str(t.user_attrs["candidate"]) for t in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    )
    frames = [returns_of(folder / "candidates" / home).rename({"return": home}) for home in homes]
    if len(frames) < 2:
        return None
    joined: pl.DataFrame = frames[0]
    for frame in frames[1:]:
        joined = joined.join(frame, on="time", how="inner", maintain_order="left")
    return joined.drop("time").to_numpy()


def _deflated(study: optuna.Study, folder: Path, number: int) -> dict[str, Any] | None:
    """The deflated Sharpe ratio of the chosen candidate over the folds of the search, for all judged candidates."""
    trials = {t.number: t for t in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))}
    returns = returns_of(folder / "candidates" / trials[number].user_attrs["candidate"])["return"].to_numpy()
    moments = sharpe_moments(returns)
    if moments is None:
        return None
    by_candidate = {t.user_attrs["candidate"]: float(t.user_attrs["sharpe"]) for t in trials.values()}
    count = _tried(study)
    variance = float(np.var(list(by_candidate.values()), ddof=1)) if len(by_candidate) > 1 else None
    observations = effective_observations(returns, round(optimal_block_length(returns)))
    return {
        "sharpe": moments.sharpe,
        "deflated_sharpe": deflated_sharpe(moments, observations, count, variance),
        "expected_best": expected_best_sharpe(count, variance) if variance is not None else None,
        "trials": count,
        "trial_variance": variance,
        "observations": observations,
    }


def _tried(study: optuna.Study) -> int:
    """Candidates whose result was looked at, those that were given up among them."""
    return max(1, len({t.user_attrs["candidate"] for t in study.get_trials(deepcopy=False)
                       if t.user_attrs.get("folds")}))  # fmt: skip


def _row(trial: FrozenTrial) -> dict[str, Any]:
    attrs = trial.user_attrs
    outcome = "judged" if trial.state == TrialState.COMPLETE else str(attrs.get("kind", "worker died"))
    row: dict[str, Any] = {
        "trial": trial.number,
        "outcome": outcome,
        "reason": attrs.get("reason", ""),
        "stage": attrs.get("stage"),
        "preset": attrs.get("preset", ""),
        "changes": attrs.get("changes", {}),
        "measured": attrs.get("measured"),
        "measured_here": attrs.get("measured_here"),
        "fold_mcc": attrs.get("folds", []),
        "candidate": attrs.get("candidate"),
        "seconds": trial.duration.total_seconds() if trial.duration else None,
    }
    for name in ("mcc", "mcc_error", "sharpe", "sharpe_error", "n", "effective_n", "trades", "total_return", "epochs"):
        row[name] = attrs.get(name)
    return row
