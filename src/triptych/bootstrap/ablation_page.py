"""The page of an ablation: one narrow table a variant, so that a phone shows it whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.backtest.report.render import render_page
from triptych.backtest.report.sections import Section
from triptych.backtest.report.tables import Cell, Table
from triptych.backtest.report.words import number, plain, signed_share
from triptych.domain.files import write_text


@dataclass(frozen=True, kw_only=True)
class _Head:
    title: str
    description: str


def write_ablation_page(path: Path, name: str, seed: int, rows: list[dict[str, Any]]) -> Path:
    """Write the rows of an ablation as one self-contained HTML file. Raises StorageError when the disk refuses."""
    tested = next(row["tested"] for row in rows if row["comparable"])
    head = _Head(
        title=f"Ablation: {name}",
        description=f"{len(rows)} variants, seed {seed}, all learning from the same time on. Skill is the Matthews "
        f"correlation on the {tested:,} test windows that all have, with 95 % intervals.",
    )
    comparable = Table(
        heads=["", "Skill", "Difference"],
        rows=[
            [Cell(text=row["variant"]), Cell(text=_skill(row)), Cell(text=_difference(row, rows[0]))] for row in rows
        ],
    )
    lead = "An interval of a difference that holds 0 says that the part cannot be told from chance on this much data."
    sections = [
        Section(name="overview", title="Overview", lead=lead, tables=[comparable]),
        Section(name="variants", title="Variants", tables=[_facts(row, rows[0]) for row in rows]),
    ]
    return write_text(path, render_page(head, sections))


def _facts(row: dict[str, Any], recipe: dict[str, Any]) -> Table:
    best = row["best_baseline"]
    facts = {
        "Changes": ", ".join(f"{key} = {plain(value)}" for key, value in row["changes"].items()) or "the recipe itself",
        "Windows to learn from, by fold": ", ".join(f"{count:,}" for count in row["learned"]),
        "Test windows": f"{row['tested']:,} of its own {row['own_tested']:,}",
        "Skill": f"0: it said {row['only_class']} for every window of a fold"
        if row["only_class"]
        else _estimate(row["mcc"], 3),
        **({"Difference to the recipe": _paired(row, recipe, 3)} if "difference" in row else {}),
        **({} if row["comparable"] else {"Not comparable": row["reason"]}),
        "Best baseline, own windows": f"{best['name']} {number(best['mcc'], 3)}",
        "Return after costs": f"{signed_share(row['total_return'])}, {row['trades']:,} trades",
        "Buy and hold": signed_share(row["benchmark_return"]),
        "Deflated Sharpe": number(row["deflated_sharpe"]),
        "Verdict": row["verdict"],
    }
    rows = [[Cell(text=key), Cell(text=value)] for key, value in facts.items()]
    return Table(heads=["", ""], rows=rows, caption=row["variant"])


def _skill(row: dict[str, Any]) -> str:
    return f"0: {row['only_class']} only" if row["only_class"] else number(row["mcc"]["value"], 3)


def _difference(row: dict[str, Any], recipe: dict[str, Any]) -> str:
    if "difference" not in row:
        return ""
    return _paired(row, recipe, 2) if row["comparable"] else "not comparable"


def _paired(row: dict[str, Any], recipe: dict[str, Any], digits: int) -> str:
    if row["comparable"] and row["only_class"] and recipe["only_class"]:
        return "0: both say one class only"
    return _estimate(row["difference"], digits)


def _estimate(found: dict[str, Any], digits: int) -> str:
    if found["value"] is None:
        return number(None)
    return f"{number(found['value'], 3)} ({number(found['low'], digits)} to {number(found['high'], digits)})"
