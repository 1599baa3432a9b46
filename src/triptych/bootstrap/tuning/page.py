"""The report of a search: one self-contained HTML file beside its JSON twin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from triptych.backtest.report.render import render_page
from triptych.backtest.report.sections import Section
from triptych.backtest.report.tables import Cell, Table, facts_table
from triptych.backtest.report.words import number, plain, probability, signed_share
from triptych.bootstrap.tuning.figures import (
    fold_figure,
    history_figure,
    importance_figure,
    parallel_figure,
    pareto_figure,
)
from triptych.bootstrap.tuning.results import outcome_words, says_words
from triptych.bootstrap.tuning.storage import quiet_optuna
from triptych.domain.files import write_text
from triptych.training.seeds import derive_seed


@dataclass(frozen=True, kw_only=True)
class Head:
    """Title and description of the page."""

    title: str
    description: str


def write_page(path: Path, results: dict[str, Any], study: optuna.Study) -> Path:
    """Write the report of a search. Raises StorageError when the disk refuses."""
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(results["counts"].items()))
    head = Head(
        title=f"Search: {results['name']}",
        description=f"{counts}. Judged on {results['folds']} walk-forward folds before the test part, which the search "
        f"never saw. Latency is that of one {results['timed']}.",
    )
    winner = results.get("winner")
    page = render_page(
        head, _sections(results, study), verdict=winner["verdict"] if winner else None, cards=_cards(results)
    )
    return write_text(path, page)


def _sections(results: dict[str, Any], study: optuna.Study) -> list[Section]:
    with quiet_optuna():
        importances = importance_figure(study, derive_seed(results["seed"], "importance"))
    skill = [pareto_figure(results), history_figure(results), fold_figure(results)]
    keys = [figure for figure in (parallel_figure(results), importances) if figure is not None]
    lead = (
        f"The rule: {results['rule']}. Trial {results['chosen']} is chosen, trial {results['best']} has the best skill."
    )
    chosen = next(one for one in results["leaderboard"] if one["trial"] == results["chosen"])
    if words := says_words(chosen):
        lead += f" It {words}, whatever it sees: it has learned nothing, and none that says more is as good."
    sections = [Section(name="front", title="Skill and cost", lead=lead, plots=[skill])]
    if keys:
        sections.append(Section(name="keys", title="What mattered", plots=[keys]))
    sections.append(Section(name="luck", title="Luck", lead=_luck_words(results), tables=_luck_tables(results)))
    if results.get("winner"):
        sections.append(_winner_section(results))
    sections.append(Section(name="trials", title="All trials", tables=[leaderboard_table(results)]))
    return sections


def _cards(results: dict[str, Any]) -> list[dict[str, str]]:
    row = next(one for one in results["leaderboard"] if one["trial"] == results["chosen"])
    budget, winner = results["budget"], results.get("winner")
    quantile = f"{budget['quantile']}_ms"
    measured = winner["measured"] if winner else row["measured"]
    limit = budget["latency_ms"]
    cards = [
        _card("Chosen", f"trial {row['trial']}", f"of {len(results['leaderboard'])}"),
        _card("Skill out of fold", number(row[results["skill"]], 4),
              f"± {number(row[results['skill'] + '_error'], 4)} ({results['skill']})"),
        _card(f"Latency of a {results['timed']}", f"{measured[quantile]:.3g} ms",
              "no budget" if limit is None else f"budget {limit:g} ms, {budget['quantile']}",
              "" if limit is None else "gain" if measured[quantile] <= limit else "loss"),
        _card("Parameters", f"{measured['parameters']:,}", f"{measured['memory_mb']:.3g} MB"),
    ]  # fmt: skip
    found = results["overfitting"]
    if found:
        tone = "gain" if found["probability"] < 0.2 else "loss"
        cards.append(_card("Overfitting", probability(found["probability"]), "probability (PBO)", tone))
    if results["deflated"]:
        deflated = results["deflated"]
        cards.append(
            _card("Deflated Sharpe", probability(deflated["deflated_sharpe"]), f"search, {deflated['trials']} trials")
        )
    if winner:
        cards.append(
            _card("Test", signed_share(winner["total_return"]), f"MCC {number(winner['test']['mcc']['value'], 3)}")
        )
    return cards


def _card(name: str, value: str, beside: str, tone: str = "") -> dict[str, str]:
    return {"name": name, "value": value, "beside": beside, "tone": tone}


def _luck_words(results: dict[str, Any]) -> str:
    found = results["overfitting"]
    if found is None:
        return "Too few judged candidates or too short a history to say how much the choice among them is worth."
    by, among = results["skill"], results["overfitting_among"]
    given_up = len(among["given_up"])
    left_out = f" {given_up} given up after some folds have no whole history and are not in." if given_up else ""
    return (
        f"In {100 * found['probability']:.0f} % of {found['halves']:,} ways to cut the folds' history in halves, the "
        f"candidate that was best by {by} on one half was not in the better half on the other. 50 % is a choice that "
        f"says nothing. Ranked are the {found['strategies']} candidates of trials "
        f"{', '.join(str(number) for number in among['ranked'])}.{left_out}"
    )


def _luck_tables(results: dict[str, Any]) -> list[Table]:
    found = []
    captions = {
        "overfitting": f"Probability of backtest overfitting, of a choice by {results['skill']}",
        "overfitting_by_sharpe": "Probability of backtest overfitting, of a choice by Sharpe ratio",
        "deflated": "Deflated Sharpe ratio",
    }
    if results["skill"] == "sharpe":
        del captions["overfitting_by_sharpe"]
    for key, caption in captions.items():
        if results[key]:
            table = facts_table({name.replace("_", " "): value for name, value in results[key].items()})
            found.append(Table(heads=table.heads, rows=table.rows, caption=caption))
    return found


def _winner_section(results: dict[str, Any]) -> Section:
    winner, quantile = results["winner"], f"{results['budget']['quantile']}_ms"
    seeds = winner["seeds"]
    facts = {
        "run": winner["run"],
        "skill by seed": ", ".join(f"{value:.4f}" for value in seeds["skills"]),
        "mean over seeds": seeds["mean"],
        "spread over seeds": seeds["spread"],
        "test windows": winner["test"]["n"],
        "test MCC": winner["test"]["mcc"]["value"],
        "deflated Sharpe on the test": winner["deflated_sharpe"],
        "trials counted": winner["trials"],
        "within the budget as served": winner["within_budget"],
        **{
            f"{results['budget']['quantile']} of a {name} as served on this machine, ms": f"{one[quantile]:.3g}"
            for name, one in winner["served_here"].items()
        },
    }
    return Section(
        name="winner",
        title="The refitted winner",
        lead="Trained anew on its own split, and judged once on candles that neither search nor training saw.",
        tables=[facts_table(facts)],
    )


def leaderboard_table(results: dict[str, Any]) -> Table:
    """One row a trial: judged ones by falling skill, then the others with their reasons."""
    quantile = f"{results['budget']['quantile']}_ms"
    rows = []
    for row in results["leaderboard"]:
        measured = row["measured"] or {}
        marks = [word for word, numbers in (("chosen", [results["chosen"]]), ("front", results["pareto"]))
                 if row["trial"] in numbers]  # fmt: skip
        rows.append(
            [
                Cell(text=f"{row['trial']}" + (f" ({', '.join(marks)})" if marks else "")),
                Cell(text=number(row["mcc"], 4)),
                Cell(text=number(row["mcc_error"], 4)),
                Cell(text=number(row["sharpe"], 4)),
                Cell(text=plain(None) if (latency := measured.get(quantile)) is None else f"{latency:.3g}"),
                Cell(text=plain(measured.get("parameters"))),
                Cell(text=plain(row["stage"])),
                Cell(text=", ".join(f"{key} = {plain(value)}" for key, value in row["changes"].items()), tone="words"),
                Cell(text=outcome_words(row), tone="words"),
            ]
        )
    heads = [
        "Trial",
        "MCC",
        "±",
        "Sharpe",
        f"{results['budget']['quantile']} of a {results['timed']}, ms",
        "Parameters",
        "Stage",
        "Changes",
        "Outcome",
    ]
    return Table(heads=heads, rows=rows)
