"""An ablation as tables that 80 columns hold."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text


def ablation_tables(rows: list[dict[str, Any]], seeds: int = 1) -> list[RenderableType]:
    """One row a variant, the recipe itself first; then the verdicts and what is not comparable.

    Args:
        rows: as `ablate` or `ablate_over_seeds` gives them.
        seeds: that every variant was trained by.
    """
    tested = next(row["tested"] for row in rows if row["comparable"])
    title = f"Out of sample: {tested:,} test windows that all have; skill is MCC"
    title += f"; means of {seeds} seeds" if seeds > 1 else ""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE,
        padding=(0, 1),
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("variant\nlearned from", overflow="fold", max_width=22)
    for name in ("skill\n95 %", "difference\n95 %", "return\ntrades", "return less\nrecipe's"):
        table.add_column(name, justify="right", no_wrap=True)
    verdicts = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    verdicts.add_column(max_width=24, overflow="fold")
    verdicts.add_column()
    for row in rows:
        learned = " + ".join(f"{count:,}" for count in row["learned"])
        table.add_row(
            f"{escape(row['variant'])}\n[dim]{learned}[/]"
            + ("" if row["comparable"] else "\n[yellow]not comparable[/]"),
            _one_class(row) or _skill(row["mcc"]),
            _difference(row, rows[0]),
            _returns(row),
            _points(row.get("return_difference")),
        )
        verdicts.add_row(escape(row["variant"]), f"{row['verdict']} {row['reason']}".strip())
    return [table, Text(_note(rows, seeds), style="dim"), Text("Verdicts of the backtests", style="bold"), verdicts]


def _note(rows: list[dict[str, Any]], seeds: int) -> str:
    best = rows[0]["best_baseline"]
    note = (
        "Learned from: windows, by fold. Return less the recipe's: in points of the capital, with its 95 % interval. "
    )
    if seeds > 1:
        note += (
            "Intervals hold the sampling of the test and the noise of training; in brackets the lowest and the highest "
            "seed. Returns are geometric means. "
        )
    else:
        note += "Intervals hold the sampling of the test only, not the noise of training: --seeds 3 asks for that too. "
    note += (
        f"Best baseline of {rows[0]['variant']} on its own {rows[0]['own_tested']:,} test windows: {best['name']}, "
        f"{_number(best['mcc'], 3)}."
    )
    if any(row["only_class"] for row in rows):
        note += (
            " Only: said one class for every window of a fold, which is no skill whatever comes, so there is no "
            "interval."
        )
    return note


def _one_class(row: dict[str, Any]) -> str:
    return f"0\n[dim]{row['only_class']} only[/]" if row["only_class"] else ""


def _difference(row: dict[str, Any], recipe: dict[str, Any]) -> str:
    if not row["comparable"] or "difference" not in row:
        return ""
    if row["difference"].get("reason") and row["difference"]["value"] == 0:
        return "same\npredictions"
    if row["only_class"] and recipe["only_class"]:
        return "0\n[dim]both one class[/]"
    return _skill(row["difference"])


def _skill(found: dict[str, Any]) -> str:
    lines = [_number(found["value"], 3), f"[dim]{_number(found['low'], 2)} .. {_number(found['high'], 2)}[/]"]
    if "by_seed" in found:
        lines.append(rf"[dim]\[{found['lowest']:.2f}..{found['highest']:.2f}][/]")
    return "\n".join(lines)


def _returns(row: dict[str, Any]) -> str:
    lines = [f"{100 * row['total_return']:.2f} %"]
    if "return_range" in row:
        low, high = (100 * one for one in row["return_range"])
        lines.append(rf"[dim]\[{low:.0f}..{high:.0f}][/]")
    return "\n".join([*lines, f"{row['trades']:,.0f}"])


def _points(found: dict[str, Any] | None) -> str:
    if found is None:
        return ""
    if found["low"] is None:
        return "same trades" if found["value"] == 0 else "-"
    value, low, high = (100 * found[name] for name in ("value", "low", "high"))
    digits = 0 if max(abs(low), abs(high)) >= 100 else 1
    lines = [f"{value:+.{digits}f}", f"[dim]{low:.{digits}f} .. {high:.{digits}f}[/]"]
    if "by_seed" in found:
        lines.append(rf"[dim]\[{100 * found['lowest']:.{digits}f}..{100 * found['highest']:.{digits}f}][/]")
    return "\n".join(lines)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
