"""Plots of a search: Pareto front, history, importances, parallel coordinates, fold by fold."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from triptych.backtest.report.figure import Figure, safe

FEWEST = 4
"""Judged trials from which on an importance says anything."""
MOST_AXES = 10


def skill_name(results: dict[str, Any]) -> str:
    """The skill in words."""
    return {"mcc": "MCC out of fold", "sharpe": "Sharpe ratio a candle, out of fold"}[results["skill"]]


def cost_of(row: dict[str, Any], results: dict[str, Any]) -> float:
    """What a judged candidate costs, in the unit of the search."""
    measured = row["measured"]
    if results["cost"] == "latency":
        return float(measured[f"{results['budget']['quantile']}_ms"])
    return float(measured["parameters"])


def judged_rows(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the leaderboard that were judged, in order of their trials."""
    return sorted((row for row in results["leaderboard"] if row["outcome"] == "judged"), key=lambda row: row["trial"])


def pareto_figure(results: dict[str, Any]) -> Figure:
    """Skill against cost: every judged candidate with its standard error, the front, and the chosen one."""
    rows, skill = judged_rows(results), results["skill"]
    front = [row for number in results["pareto"] for row in rows if row["trial"] == number]
    chosen = [row for row in rows if row["trial"] == results["chosen"]]
    title = f"Latency of a {results['timed']}, ms" if results["cost"] == "latency" else "Parameters"

    def points(some: list[dict[str, Any]], **style: Any) -> dict[str, Any]:
        return {
            "type": "scatter",
            "x": [cost_of(row, results) for row in some],
            "y": [row[skill] for row in some],
            "text": [safe(f"trial {row['trial']}: {_words(row['changes'])}") for row in some],
            "hovertemplate": "%{text}<br>%{x:.4~g}, %{y:.4f}<extra></extra>",
            **style,
        }

    errors = {"type": "data", "array": [row[f"{skill}_error"] for row in rows], "color": "@muted/45", "thickness": 1}
    data = [
        points(rows, mode="markers", name="Judged", marker={"color": "@strategy/60", "size": 8}, error_y=errors),
        points(front, mode="lines+markers", name="Pareto front", line={"color": "@profit", "width": 2, "shape": "hv"}),
        points(chosen, mode="markers", name="Chosen", marker={"color": "@warning", "size": 15, "symbol": "star"}),
    ]
    layout: dict[str, Any] = {"xaxis": {"title": {"text": title}}, "yaxis": {"title": {"text": skill_name(results)}}}
    limit = results["budget"]["latency_ms" if results["cost"] == "latency" else "parameters"]
    if limit is not None:
        layout["shapes"] = [
            {"type": "line", "x0": limit, "x1": limit, "yref": "paper", "y0": 0, "y1": 1,
             "line": {"color": "@loss", "dash": "dash", "width": 1}}
        ]  # fmt: skip
    note = "The star is the cheapest of the front whose skill is within one standard error of the best."
    return Figure(label="Pareto front", data=data, layout=layout, height=440, note=note)


def history_figure(results: dict[str, Any]) -> Figure:
    """Skill by trial, with the best until then."""
    rows, skill = judged_rows(results), results["skill"]
    numbers, values = [row["trial"] for row in rows], [row[skill] for row in rows]
    best = np.maximum.accumulate(np.array(values)).tolist()
    given_up = [row for row in results["leaderboard"] if row["outcome"] == "given up" and row["fold_mcc"]]
    data: list[dict[str, Any]] = [
        {"type": "scatter", "mode": "markers", "name": "Judged", "x": numbers, "y": values,
         "marker": {"color": "@strategy/60", "size": 8}},
        {"type": "scatter", "mode": "lines", "name": "Best until then", "x": numbers, "y": best,
         "line": {"color": "@profit", "width": 2, "shape": "hv"}},
    ]  # fmt: skip
    if given_up and skill == "mcc":
        data.append(
            {"type": "scatter", "mode": "markers", "name": "Given up, mean of its folds",
             "x": [row["trial"] for row in given_up], "y": [float(np.mean(row["fold_mcc"])) for row in given_up],
             "marker": {"color": "@muted", "size": 7, "symbol": "x"}}
        )  # fmt: skip
    layout = {"xaxis": {"title": {"text": "Trial"}}, "yaxis": {"title": {"text": skill_name(results)}}}
    return Figure(label="History", data=data, layout=layout)


def importance_figure(study: optuna.Study, seed: int) -> Figure | None:
    """How much of the scatter of the skill each key explains (fANOVA, Hutter et al. 2014); None with too few trials."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    skills = {trial.values[0] for trial in complete}
    if len(complete) < FEWEST or len(skills) < 2:
        return None
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed % 2**32)
    try:
        found = optuna.importance.get_param_importances(
            study, evaluator=evaluator, target=lambda trial: float(trial.values[0])
        )
    except (ValueError, RuntimeError):  # no key is common to all trials, or none of them scatters
        return None
    rows = sorted(found.items(), key=lambda item: item[1])
    if not rows:
        return None
    data = [
        {"type": "bar", "orientation": "h", "x": [value for _, value in rows], "y": [safe(key) for key, _ in rows],
         "marker": {"color": "@strategy"}, "hovertemplate": "%{y}: %{x:.0%}<extra></extra>"}
    ]  # fmt: skip
    layout = {"xaxis": {"title": {"text": "Share of the scatter of the skill"}, "tickformat": ".0%"}}
    note = "From few trials these shares are rough; keys that only some candidates have are left out."
    return Figure(label="Importances", data=data, layout=layout, height=60 + 34 * len(rows), note=note)


def parallel_figure(results: dict[str, Any]) -> Figure | None:
    """A line a candidate over what it changed; the better, the stronger."""
    rows, skill = judged_rows(results), results["skill"]
    keys = [key for key in dict.fromkeys(key for row in rows for key in row["changes"])
            if len({json.dumps(row["changes"].get(key)) for row in rows}) > 1][:MOST_AXES]  # fmt: skip
    if len(rows) < 2 or not keys:
        return None
    scales = {key: _scale([row["changes"].get(key) for row in rows]) for key in keys}
    values = np.array([row[skill] for row in rows])
    ranks = values.argsort().argsort() / max(1, len(rows) - 1)
    data = []
    for row, rank in sorted(zip(rows, ranks, strict=True), key=lambda pair: pair[1]):
        heights = [scales[key].get(json.dumps(row["changes"].get(key))) for key in keys]
        heights.append(float((row[skill] - values.min()) / (np.ptp(values) or 1.0)))
        data.append(
            {"type": "scatter", "mode": "lines+markers", "showlegend": False, "x": list(range(len(keys) + 1)),
             "y": heights, "name": f"trial {row['trial']}",
             "line": {"color": "@warning" if row["trial"] == results["chosen"] else f"@strategy/{15 + int(70 * rank)}",
                      "width": 3 if row["trial"] == results["chosen"] else 1.5},
             "text": [*(safe(f"{key} = {row['changes'].get(key)}") for key in keys), f"{skill} {row[skill]:.4f}"],
             "hovertemplate": f"trial {row['trial']}: %{{text}}<extra></extra>"}
        )  # fmt: skip
    layout = {
        "xaxis": {"tickvals": list(range(len(keys) + 1)), "ticktext": [*(safe(_short(key)) for key in keys), "skill"]},
        "yaxis": {"showticklabels": False, "title": {"text": "low to high"}},
        "hovermode": "closest",
    }
    note = "Every axis from its lowest to its highest value tried; the chosen candidate is the thick line."
    return Figure(label="Parallel coordinates", data=data, layout=layout, height=460, note=note)


def fold_figure(results: dict[str, Any]) -> Figure:
    """The Matthews correlation of each fold, of the front's candidates."""
    rows = [row for row in judged_rows(results) if row["trial"] in results["pareto"]]
    data = [
        {"type": "scatter", "mode": "lines+markers", "name": f"trial {row['trial']}",
         "x": list(range(1, len(row["fold_mcc"]) + 1)), "y": row["fold_mcc"]}
        for row in rows
    ]  # fmt: skip
    layout = {"xaxis": {"title": {"text": "Fold"}, "dtick": 1}, "yaxis": {"title": {"text": "MCC"}}}
    return Figure(label="Folds", data=data, layout=layout, note="Candidates of the Pareto front, fold by fold.")


def _scale(values: list[Any]) -> dict[str, float]:
    """Heights from 0 to 1 by value: numbers by their size, others by their order of appearance."""
    distinct = [value for value in dict.fromkeys(json.dumps(value) for value in values) if value != "null"]
    plain = [json.loads(value) for value in distinct]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in plain):
        low, high = min(plain), max(plain)
        if low > 0 and high > 20 * low:
            plain, low, high = [np.log(value) for value in plain], np.log(low), np.log(high)
        return {text: float((value - low) / ((high - low) or 1)) for text, value in zip(distinct, plain, strict=True)}
    return {text: place / max(1, len(distinct) - 1) for place, text in enumerate(distinct)}


def _short(key: str) -> str:
    return key.split(".")[-1].replace("_", " ")


def _words(changes: dict[str, Any]) -> str:
    return ", ".join(f"{_short(key)} {value:.3g}" if isinstance(value, float) else f"{_short(key)} {value}"
                     for key, value in changes.items())  # fmt: skip
