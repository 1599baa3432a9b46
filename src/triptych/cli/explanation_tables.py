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


def checks_table(rows: list[dict[str, Any]]) -> Table:
    """One row a method."""
    table = _table(
        f"Sanity of explanations, mean of {rows[0]['decisions'] if rows else 0} decisions",
        ("method", "correlation with shuffled weights", "area of deletion", "of random orders", "random orders beaten"),
    )
    for row in rows:
        stages = " ".join(f"{value:.2f}" for value in row["correlation"])
        table.add_row(row["method"], stages, f"{row['area']:.3f}", f"{row['random_area']:.3f}", f"{row['beaten']:.0%}")
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
