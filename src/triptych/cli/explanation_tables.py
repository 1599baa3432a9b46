"""Explanations as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from triptych.bootstrap.books.explaining import ExplainedBook
    from triptych.bootstrap.explaining import ExplainedDecision
    from triptych.inference.explain import Explanation

SHOWN = 8
"""Entries of each table."""


def explanation_tables(decision: ExplainedDecision, shown: int = SHOWN) -> list[Table]:
    """What was said, then candles and entries of every axis by importance, so many of each."""
    one = decision.explanation
    content = decision.to_dict()
    head = Table(title=f"{decision.symbol} at {content['time']} UTC, fold {decision.fold + 1}", title_justify="left")
    for name in ("explained", "by", *content["probabilities"]):
        head.add_column(name, justify="right" if name in content["probabilities"] else "left")
    head.add_row(one.target, _by(content), *(f"{p:.1%}" for p in content["probabilities"].values()))
    tables = [head]
    if one.is_flat:
        return tables
    if content["leading_candles"]:
        table = table_of("Candles", ("opened (UTC)", "candles ago", "close", "importance", "share"))
        for row in content["leading_candles"][:shown]:
            table.add_row(
                row["open_time"], str(row["candles_ago"]), f"{row['close']:g}", f"{row['importance']:+.3g}",
                f"{row['share']:.1%}",
            )  # fmt: skip
        tables.append(table)
    return tables + _axes_tables(one, shown)


def book_tables(decision: ExplainedBook, shown: int = SHOWN) -> list[Table]:
    """What a network of order books said, then books and levels by importance, so many of each."""
    one, content = decision.explanation, decision.to_dict()
    head = Table(title=f"{decision.symbol} at {content['time']} UTC", title_justify="left")
    for name in ("explained", "by", *content["probabilities"]):
        head.add_column(name, justify="right" if name in content["probabilities"] else "left")
    head.add_row(one.target, _by(content), *(f"{p:.1%}" for p in content["probabilities"].values()))
    if one.is_flat:
        return [head]
    table = table_of("Books", ("seen (UTC)", "ms ago", "mid", "importance", "share"))
    for row in content["leading_rows"][:shown]:
        table.add_row(
            row["time"], str(row["ms_ago"]), f"{row['mid']:g}", f"{row['importance']:+.3g}", f"{row['share']:.1%}"
        )
    return [head, table, *_axes_tables(one, shown)]


def _axes_tables(one: Explanation, shown: int) -> list[Table]:
    """One table an axis, whose shares are of the whole picture and add up."""
    tables = []
    for axis in one.axes:
        table = table_of(f"By {axis.kind}", (axis.kind, "importance", "share of all"))
        for part in axis.parts(shown):
            table.add_row(escape(part.name), f"{part.importance:+.3g}", f"{part.share:.1%}")
        tables.append(table)
    return tables


def caution(decision: ExplainedDecision) -> str:
    """What to say of an explanation without heat, or whose shares do not add up; nothing of others."""
    one = decision.explanation
    if not one.is_flat:
        return one.shortfall
    return (
        f"No heat: {_by(decision.to_dict())} finds nothing that speaks for {one.target} (what speaks against it is cut "
        "off). That says nothing of the candles. `--method integrated_gradients` shows what speaks for and against."
    )


def flat_note(rows: list[dict[str, Any]]) -> str:
    """What to say of decisions whose maps held no heat, shuffled or not; nothing where there are none."""
    said = []
    flat = [row for row in rows if row["flat"]]
    if flat:
        told = ", ".join(f"{_whose(row)} {row['flat']} of {row['decisions']}" for row in flat)
        said.append(f"Maps without heat, left out of the check: {told}.")
    shuffled = [row for row in rows if any(row["shuffled_flat"])]
    if shuffled:
        told = ", ".join(f"{_whose(row)} {'/'.join(map(str, row['shuffled_flat']))}" for row in shuffled)
        said.append(
            f"Maps that had no heat once weights were shuffled, by stage, left out of the correlations: {told}."
        )
    none = [_whose(row) for row in flat if row["flat"] == row["decisions"]]
    if none:
        said.append(f"Nothing can be said of {', '.join(none)}: no map was left.")
    return " ".join(said)


def checks_table(rows: list[dict[str, Any]], of: Literal["book", "candle"] = "candle") -> Table:
    """One row a method; the decisions share no `of`."""
    table = table_of(
        f"Sanity of explanations, mean of the {rows[0]['decisions']} surest decisions that share no {of} (95 %)",
        ("method", "how sure", "correlation with shuffled weights", "deletion", "random", "gain", "orders beaten"),
    )
    for row in rows:
        least, mean, most = row["certainty"]
        sure = f"{mean:.0%} ({least:.0%} to {most:.0%})"
        stages = " ".join("-" if value is None else f"{value:.2f}" for value in row["correlation"])
        stages += _between(row["correlation_interval"][-1], ".2f")
        if row["area"] is None:
            table.add_row(_whose(row), sure, stages, "-", "-", "-", "-")
            continue
        table.add_row(
            _whose(row), sure, stages, f"{row['area']:.3f}", f"{row['random_area']:.3f}",
            f"{row['gain']:+.3f}{_between(row['gain_interval'], '+.3f')}",
            f"{row['beaten']:.0%}{_between(row['interval'], '.0%')}",
        )  # fmt: skip
    return table


def _whose(row: dict[str, Any]) -> str:
    return f"{row['member']}: {row['method']}" if "member" in row else str(row["method"])


def _between(interval: list[float] | None, form: str) -> str:
    return "" if interval is None else f" ({interval[0]:{form}} to {interval[1]:{form}})"


def _by(content: dict[str, Any]) -> str:
    facts = content["facts"]
    method = str(content["method"]).replace("_", " ")
    if "layer" in facts:
        return f"{method} at {facts['layer']}"
    if "sum" in facts:
        short = "" if facts["complete"] else ", incomplete"
        return f"{method}: shares sum to {facts['sum']:+.3f} of {facts['difference']:+.3f}{short}"
    return method


def table_of(title: str, columns: tuple[str, ...]) -> Table:
    """An empty table with a title; all columns but the first stand to the right."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if i == 0 else "right")
    return table
