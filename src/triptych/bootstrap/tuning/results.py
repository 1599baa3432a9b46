"""What a search found: leaderboard, the chosen candidate, and how much of it may be luck."""

from __future__ import annotations

from collections import Counter
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from triptych.backtest.overfitting import probability_of_overfitting
from triptych.bootstrap.tuning.luck import among, deflated, return_matrix, skill_overfitting
from triptych.bootstrap.tuning.study import Place
from triptych.settings.searching import timed
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
        (numbers of trials; None when nothing was judged), `overfitting` (by what the search chooses by),
        `overfitting_by_sharpe`, `overfitting_among` (trials that these rank, and those given up), `deflated`, `budget`,
        `timed` (what latency is that of), `mark`.
    """
    config = place.recipe.tune
    scored = [one for one in scored_trials(study, config) if one.number not in refused]
    front, chosen = pareto(scored), choose(scored)
    rows = [_row(trial) for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    rows.sort(key=lambda row: (row["outcome"] != "judged", -(row.get(config.skill) or 0.0), row["trial"]))
    matrix = return_matrix(study, place.folder)
    by_sharpe = None if matrix is None else probability_of_overfitting(matrix)
    by_skill = skill_overfitting(study, place.folder, config.folds) if config.skill == "mcc" else by_sharpe
    return {
        "name": place.recipe.name,
        "seed": place.recipe.seed,
        "skill": config.skill,
        "cost": config.cost,
        "timed": timed(place.recipe),
        "folds": config.folds,
        "counts": dict(Counter(row["outcome"] for row in rows)),
        "leaderboard": rows,
        "pareto": [one.number for one in front],
        "refused": list(refused),
        "chosen": None if chosen is None else chosen.number,
        "best": max(front, key=lambda one: one.skill).number if front else None,
        "rule": "the cheapest of the Pareto set whose skill is within one standard error of the best",
        "overfitting": None if by_skill is None else by_skill.to_dict(),
        "overfitting_by_sharpe": None if by_sharpe is None else by_sharpe.to_dict(),
        "overfitting_among": among(study),
        "deflated": None if chosen is None else deflated(study, place.folder, chosen.number),
        "budget": config.budget.model_dump(mode="json"),
        "mark": place.mark,
    }


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
