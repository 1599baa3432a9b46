"""Results as tables for people."""

from __future__ import annotations

from typing import Any

import polars as pl
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from triptych.domain import CLASSES, utc

_METRICS = {
    "accuracy": "Accuracy",
    "macro_precision": "Precision (macro)",
    "macro_recall": "Recall (macro)",
    "macro_f1": "F1 (macro)",
    "mcc": "MCC",
    "roc_auc": "ROC-AUC",
    "brier": "Brier score",
    "calibration_error": "Calibration error",
}


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def evaluation_tables(evaluation: dict[str, Any]) -> list[RenderableType]:
    """Metrics with their 95 % intervals beside the baselines, the confusion matrix, and the leak meter's sentence."""
    baselines = evaluation["baselines"]
    title = f"Out of sample: {evaluation['n']} windows, worth {evaluation['effective_n']:.0f} independent ones"
    metrics = Table(title=title, title_justify="left", title_style="bold")
    metrics.add_column("metric")
    metrics.add_column("model", justify="right")
    metrics.add_column("95 % interval", justify="right", style="dim")
    for name in baselines:
        metrics.add_column(name.replace("_", " "), justify="right")
    for key, entry in evaluation["metrics"].items():
        interval = f"{_number(entry['low'])} .. {_number(entry['high'])}"
        others = [_number(baselines[name][key]["value"]) for name in baselines]
        metrics.add_row(_METRICS.get(key, key), _number(entry["value"]), interval, *others)

    confusion = Table(title="True class (rows) and predicted class", title_justify="left", title_style="bold")
    confusion.add_column("")
    for name in CLASSES:
        confusion.add_column(name, justify="right")
    for name, row in zip(CLASSES, evaluation["confusion"], strict=True):
        confusion.add_row(name, *(str(count) for count in row))
    found: list[RenderableType] = [metrics, confusion, Text(evaluation["leak_meter"]["sentence"], style="dim")]
    if "tasks" in evaluation:
        found.append(tasks_table(evaluation["tasks"]))
    if "look_up" in evaluation:
        found += [look_up_table(evaluation["look_up"]), Text(evaluation["look_up"]["sentence"])]
    if "stream" in evaluation:
        found.append(Text(evaluation["stream"]["sentence"]))
    if "consensus" in evaluation:
        found += [consensus_table(evaluation["consensus"]), Text(evaluation["consensus"]["sentence"])]
    return found


def tasks_table(tasks: dict[str, Any]) -> Table:
    """Figures foretold beside the direction, each against its own baselines."""
    return _figures_table("Foretold beside the direction", tasks)


def look_up_table(look_up: dict[str, Any]) -> Table:
    """What followed the most similar windows, against windows of the past that plain rules pick."""
    title = f"Foretold by what followed the {look_up['neighbours']} most similar windows of the past"
    return _figures_table(title, look_up["figures"])


def _figures_table(title: str, tasks: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in ("figure", "best rule", "saved of its squared error", "95 % interval", "rank correlation", "verdict"):
        table.add_column(name, justify="left" if name in ("figure", "best rule", "verdict") else "right")
    for task, judged in tasks.items():
        skill = judged["skill"][judged["best_baseline"]]
        interval = f"{_percent(skill['low'])} .. {_percent(skill['high'])}"
        ranks = _number(judged.get("rank_correlation", {}).get("value"))
        table.add_row(task, judged["best_baseline"], _percent(skill["value"]), interval, ranks, judged["verdict"])
    return table


def consensus_table(report: dict[str, Any]) -> Table:
    """Coverage and precision of a consensus and of its members."""
    title = f"Consensus by {report['method']}"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("model")
    for name in ("coverage", "precision", "of the surest 30 %", "mean return of a call", "MCC"):
        table.add_column(name, justify="right")
    for model, figures in report["models"].items():
        table.add_row(
            escape(model),
            *(_percent(figures[key]["value"]) for key in ("coverage", "precision", "precision_top", "mean_return")),
            _number(figures["mcc"]),
        )
    for pair, value in report["error_correlation"].items():
        table.add_row(f"error correlation {escape(pair)}", "", "", "", "", _number(value))
    return table


def members_table(members: dict[str, dict[str, Any]]) -> Table:
    """What each member of a consensus alone would have earned."""
    title = "Each member alone, same period and costs"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("member")
    for name in ("total return", "Sharpe ratio", "maximum drawdown", "trades"):
        table.add_column(name, justify="right")
    for member, figures in members.items():
        table.add_row(
            escape(member),
            _percent(figures["total_return"]),
            _number(figures["sharpe"]),
            _percent(figures["maximum_drawdown"]),
            str(figures["trades"]),
        )
    return table


def backtest_table(result: dict[str, Any]) -> Table:
    """Key figures of strategy and buy-and-hold, and what trading took."""
    figures = result["performance"]
    period = f"{utc(figures['start_ms'])[:10]} to {utc(figures['end_ms'])[:10]}"
    table = Table(title=f"Backtest {period}, after all costs", title_justify="left", title_style="bold")
    for name in ("", "strategy", "buy and hold"):
        table.add_column(name, justify="right" if name else "left")
    ours, hold = figures["strategy"], figures["benchmark"]
    annual = (("Annual return", "annual_return", _percent), ("Calmar ratio", "calmar", _number))
    for label, key, show in (
        ("Total return", "total_return", _percent),
        # A few weeks blown up to a year are no figure to put before people; the report says how long it was.
        *(annual if figures["years"] >= 1 else ()),
        ("Annual volatility", "annual_volatility", _percent),
        ("Sharpe ratio", "sharpe", _number),
        ("Sortino ratio", "sortino", _number),
    ):
        table.add_row(label, show(ours[key]), show(hold[key]))
    table.add_row("Maximum drawdown", _percent(ours["drawdown"]["depth"]), _percent(hold["drawdown"]["depth"]))
    lengths = (f"{d['drawdown']['longest_days']:.1f} days" for d in (ours, hold))
    table.add_row("Longest drawdown", *lengths)
    table.add_section()
    trades, costs, exposure = figures["trades"], figures["costs"], figures["exposure"]
    for label, value in (
        ("Trades", str(trades["count"])),
        ("Win rate", _percent(trades["win_rate"])),
        ("Profit factor", _number(trades["profit_factor"])),
        ("Time in the market", _percent(exposure["time_in_market"])),
        (
            "Turnover per year",
            "-" if exposure["turnover_per_year"] is None else f"{exposure['turnover_per_year']:.0f} x",
        ),
        ("Costs, share of capital", _percent(costs["total_share"])),
        ("Deflated Sharpe", _number(result["luck"]["deflated_sharpe"])),
        ("Trials on these candles", str(result["trials"])),
    ):
        table.add_row(label, value, "")
    return table


def verdict_panel(verdict: dict[str, Any]) -> Panel:
    """The verdict in words, with its caveats."""
    text = "\n".join(f"- {escape(reason)}" for reason in (*verdict["reasons"], *verdict["caveats"]))
    colour = "green" if verdict["claims_edge"] else "red" if "held back" in verdict["sentence"] else "yellow"
    return Panel(text, title=f"[bold]{escape(verdict['sentence'])}[/]", title_align="left", border_style=colour)


def prediction_table(frame: pl.DataFrame, most: int = 20) -> Table:
    """The last predictions; a note beside it says which were learned from."""
    frame = frame.drop("learned_from_it")
    table = Table(title=f"{len(frame)} predictions, the last {min(most, len(frame))}", title_justify="left")
    for name in frame.columns:
        table.add_column(
            "close (UTC)" if name == "time" else name.removeprefix("probability_"),
            justify="left" if name in ("symbol", "time") else "right",
        )
    shown = frame.tail(most)
    for row in shown.with_columns(shown["time"].dt.to_string("%Y-%m-%d %H:%M")).iter_rows():
        table.add_row(*(f"{v:.3f}" if isinstance(v, float) else escape(str(v)) for v in row))
    return table


def leak_table(found: dict[str, Any]) -> Table:
    """One row a probe."""
    table = Table(title="Leak probe", title_justify="left", title_style="bold")
    for name in ("probe", "instrument", "compared", "differing", "first place", "result"):
        table.add_column(name, justify="right" if name in ("compared", "differing") else "left")
    for row in found["results"]:
        result = "[green]passed[/]" if row["passed"] else "[bold red]PEEKS[/]"
        table.add_row(
            escape(row["name"]),
            escape(row["instrument"]),
            str(row["compared"]),
            str(row["differing"]),
            row["first_place"],
            result,
        )
    return table


def leaderboard_table(results: dict[str, Any], most: int = 12) -> Group:
    """Trials of a search: judged ones by falling skill, then the others with what ended them.

    Below them what the chosen one and those of the Pareto front are: in a column of its own that would be a tower of
    words on a narrow terminal.
    """
    quantile = results["budget"]["quantile"]
    limit = results["budget"]["latency_ms"]
    title = f"{len(results['leaderboard'])} trials, * chosen, + Pareto front"
    title += f"; latency of one {_timed(results)}"
    title += "" if limit is None else f", budget {limit:g} ms ({quantile})"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("trial")
    for name in ("MCC", "\u00b1", "Sharpe", f"{quantile} ms", "parameters"):
        table.add_column(name, justify="right", style="dim" if name == "\u00b1" else None)
    table.add_column("outcome")
    varied = _varied(results)
    lines: list[Text] = []
    for row in results["leaderboard"][:most]:
        measured = row["measured"] or {}
        mark = "*" if row["trial"] == results["chosen"] else "+" if row["trial"] in results["pareto"] else ""
        table.add_row(
            f"{row['trial']}{mark}",
            _number(row["mcc"], 4),
            _number(row["mcc_error"], 4),
            _number(row["sharpe"], 4),
            f"{latency:.3g}" if (latency := measured.get(f"{quantile}_ms")) is not None else "-",
            f"{measured['parameters']:,}" if measured else "-",
            escape(_outcome(row)),
        )
        if mark:
            changes = ", ".join(
                f"{key.split('.')[-1]} {value:.3g}" if isinstance(value, float) else f"{key.split('.')[-1]} {value}"
                for key, value in row["changes"].items()
                if key in varied
            )
            lines.append(Text.assemble((f"{row['trial']}{mark} ", "bold"), changes or "the recipe as it is"))
    left = len(results["leaderboard"]) - most
    if left > 0:
        lines.append(Text(f"{left} more trials stand in report.html and, with --json, here.", style="dim"))
    return Group(table, *lines)


def _outcome(row: dict[str, Any]) -> str:
    """What became of a trial, with its reason and whether it says one class only."""
    only = f", says {row['says_only']} only" if row.get("says_only") else ""
    return f"{row['outcome']}{': ' if row['reason'] else ''}{row['reason']}{only}"


def _timed(results: dict[str, Any]) -> str:
    """What latency is that of: a window in results of versions that timed nothing else."""
    return str(results.get("timed", "window"))


def _varied(results: dict[str, Any]) -> set[str]:
    """Keys in which the trials differ."""
    seen: dict[str, set[str]] = {}
    for row in results["leaderboard"]:
        for key, value in row["changes"].items():
            seen.setdefault(key, set()).add(repr(value))
    return {key for key, values in seen.items() if len(values) > 1}


def winner_table(results: dict[str, Any]) -> Table:
    """The refitted winner: skill over seeds, cost as served, luck of the search, and the one look at the test."""
    winner, budget = results["winner"], results["budget"]
    seeds, quantile = winner["seeds"], budget["quantile"]
    limit = "" if budget["latency_ms"] is None else f" of {budget['latency_ms']:g}"
    table = Table(title=f"Winner: trial {winner['trial']}", show_header=False, title_justify="left", title_style="bold")
    table.add_column(style="dim")
    table.add_column(justify="right")
    overfitting, deflated, mcc = results["overfitting"], results["deflated"], winner["test"]["mcc"]
    by_sharpe = results.get("overfitting_by_sharpe")
    for label, value in (
        (f"Skill over {len(seeds['skills'])} seeds ({results['skill']})", _number(seeds["mean"], 4)),
        (
            f"Latency of a {_timed(results)} as served, {quantile}",
            f"{winner['measured'][f'{quantile}_ms']:.3g}{limit} ms",
        ),
        *(
            (f"Latency of a {name}, {quantile}", f"{one[f'{quantile}_ms']:.3g} ms on this machine")
            for name, one in winner.get("served_here", {}).items()
            if name != _timed(results)
        ),
        *((("Says", f"{winner['says_only']} only"),) if winner.get("says_only") else ()),
        ("Parameters", f"{winner['measured']['parameters']:,}"),
        ("Within the budget", "yes" if winner["within_budget"] else "no: " + "; ".join(winner["overruns"])),
        (
            f"Probability of overfitting (PBO) by {results['skill']}",
            "-" if overfitting is None else _number(overfitting["probability"]),
        ),
        ("PBO by Sharpe", "-" if by_sharpe is None else _number(by_sharpe["probability"])),
        ("Deflated Sharpe in the search", "-" if deflated is None else _number(deflated["deflated_sharpe"])),
        ("Test MCC", f"{_number(mcc['value'])} ({_number(mcc['low'])} .. {_number(mcc['high'])})"),
        ("Test return after costs", _percent(winner["total_return"])),
        (f"Deflated Sharpe on the test, {winner['trials']} trials", _number(winner["deflated_sharpe"])),
    ):
        table.add_row(label, value)
    return table
