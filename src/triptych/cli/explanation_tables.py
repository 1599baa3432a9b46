"""Explanations as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from triptych.bootstrap.explaining import ExplainedDecision

SHOWN = 8
"""Entries of each table."""


def explanation_tables(decision: ExplainedDecision) -> list[Table]:
    """What was said, then candles and entries of every axis by importance."""
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
        table = _table("Candles", ("opened (UTC)", "candles ago", "close", "importance", "share"))
        for row in content["leading_candles"][:SHOWN]:
            table.add_row(
                row["open_time"], str(row["candles_ago"]), f"{row['close']:g}", f"{row['importance']:+.3g}",
                f"{row['share']:.1%}",
            )  # fmt: skip
        tables.append(table)
    for axis in one.axes:
        whole = float(abs(axis.values).sum()) or 1.0
        table = _table(f"By {axis.kind}", (axis.kind, "importance", "share"))
        for name, value in axis.leading(SHOWN):
            table.add_row(escape(name), f"{value:+.3g}", f"{abs(value) / whole:.1%}")
        tables.append(table)
    return tables


def no_heat(decision: ExplainedDecision) -> str:
    """What to say of an explanation without heat; nothing of others."""
    one = decision.explanation
    if not one.is_flat:
        return ""
    return (
        f"No heat: {_by(decision.to_dict())} finds nothing that speaks for {one.target} (what speaks against it is cut "
        "off). That says nothing of the candles. `--method integrated_gradients` shows what speaks for and against."
    )


def flat_note(rows: list[dict[str, Any]]) -> str:
    """What to say of decisions whose maps held no heat; nothing where there are none."""
    flat = [row for row in rows if row["flat"]]
    if not flat:
        return ""
    told = ", ".join(f"{row['method']} {row['flat']} of {row['decisions']}" for row in flat)
    none = [row["method"] for row in flat if row["flat"] == row["decisions"]]
    said = f"Maps without heat, left out of the check: {told}."
    return f"{said} Nothing can be said of {', '.join(none)}: no map was left." if none else said


def checks_table(rows: list[dict[str, Any]]) -> Table:
    """One row a method."""
    table = _table(
        f"Sanity of explanations, mean of {rows[0]['decisions'] if rows else 0} decisions",
        ("method", "correlation with shuffled weights", "area of deletion", "of random orders", "random orders beaten"),
    )
    for row in rows:
        stages = " ".join("-" if value is None else f"{value:.2f}" for value in row["correlation"])
        if row["area"] is None:
            table.add_row(row["method"], stages, "-", "-", "-")
            continue
        beaten = f"{row['beaten']:.0%}"
        if row["interval"] is not None:
            beaten += f" ({row['interval'][0]:.0%} to {row['interval'][1]:.0%})"
        table.add_row(row["method"], stages, f"{row['area']:.3f}", f"{row['random_area']:.3f}", beaten)
    return table


def _by(content: dict[str, Any]) -> str:
    facts = content["facts"]
    method = str(content["method"]).replace("_", " ")
    if "layer" in facts:
        return f"{method} at {facts['layer']}"
    if "sum" in facts:
        return f"{method}: shares sum to {facts['sum']:+.3f} of {facts['difference']:+.3f}"
    return method


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if i == 0 else "right")
    return table
