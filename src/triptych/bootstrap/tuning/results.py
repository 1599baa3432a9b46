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
from triptych.training.tuning.selection import Scored, choose, contenders, pareto


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
                says_one=bool(trial.user_attrs.get("says_only")),
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
    front, chosen = pareto(contenders(scored)), choose(scored)
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
        "rule": "the cheapest of the Pareto set whose skill is within one standard error of the best; what says one "
        "class only is out where another is within one standard error",
        "overfitting": None if by_skill is None else by_skill.to_dict(),
        "overfitting_by_sharpe": None if by_sharpe is None else by_sharpe.to_dict(),
        "overfitting_among": among(study),
        "deflated": None if chosen is None else deflated(study, place.folder, chosen.number),
        "budget": config.budget.model_dump(mode="json"),
        "mark": place.mark,
    }


def says_words(row: dict[str, Any]) -> str:
    """That a candidate says one class only, as words; nothing where it says more."""
    only = row.get("says_only")
    return f"says {only} only" if only else ""


def outcome_words(row: dict[str, Any]) -> str:
    """What became of a trial, with its reason and whether it says one class only."""
    reason = f": {row['reason']}" if row["reason"] else ""
    only = f", {words}" if (words := says_words(row)) else ""
    return f"{row['outcome']}{reason}{only}"


def one_class_verdict(verdict: dict[str, Any], rows: list[dict[str, Any]], chosen: dict[str, Any]) -> dict[str, Any]:
    """The verdict of a winner whose candidate says one class only; of any other as it is.

    Args:
        verdict: as `Verdict.to_dict` gives it.
        rows: the leaderboard. chosen: its row of the winner.
    """
    if not chosen.get("says_only"):
        return verdict
    judged = [row for row in rows if row["outcome"] == "judged"]
    others = (
        "All judged candidates say one class only"
        if all(row.get("says_only") for row in judged)
        else "All others are worse by more than a standard error"
    )
    finding = f"The chosen candidate {says_words(chosen)}, whatever it sees: it has learned nothing. {others}."
    check = {"name": "Says more than one class", "passed": False, "finding": finding}
    return {
        **verdict,
        "sentence": f"The search found nothing: its winner {says_words(chosen)}.",
        "claims_edge": False,
        "outcome": "no_edge",
        "caveats": [],
        "reasons": [finding, *verdict["reasons"]],
        "checks": [check, *verdict["checks"]],
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
    for name in (
        "mcc",
        "mcc_error",
        "sharpe",
        "sharpe_error",
        "n",
        "effective_n",
        "trades",
        "total_return",
        "epochs",
        "says_only",
    ):
        row[name] = attrs.get(name)
    return row
