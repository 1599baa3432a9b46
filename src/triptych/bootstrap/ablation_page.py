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


def write_ablation_page(path: Path, name: str, seeds: list[int], rows: list[dict[str, Any]]) -> Path:
    """Write the rows of an ablation as one self-contained HTML file. Raises StorageError when the disk refuses."""
    tested = next(row["tested"] for row in rows if row["comparable"])
    several = len(seeds) > 1
    trained = f"means over the seeds {', '.join(map(str, seeds))}" if several else f"seed {seeds[0]}"
    head = _Head(
        title=f"Ablation: {name}",
        description=f"{len(rows)} variants, {trained}, all learning from the same time on. Skill is the Matthews "
        f"correlation on the {tested:,} test windows that all have, with 95 % intervals.",
    )
    overview = Table(
        heads=["", "Skill", "Difference", "Return, points"],
        rows=[
            [
                Cell(text=row["variant"]),
                Cell(text=_skill(row)),
                Cell(text=_difference(row, rows[0])),
                Cell(text=_points(row.get("return_difference"), 0)),
            ]
            for row in rows
        ],
    )
    lead = (
        "An interval of a difference that holds 0 says that the part cannot be told from chance on this much data. The "
        "last column is the return of the variant less that of the recipe over the candles that both trade, in points. "
    )
    lead += (
        "The intervals hold both the sampling of the test and the noise of training."
        if several
        else "The intervals hold the sampling of the test only, not what training with another seed would change."
    )
    sections = [
        Section(name="overview", title="Overview", lead=lead, tables=[overview]),
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
        "Return after costs": f"{signed_share(row['total_return'])}, {row['trades']:,.0f} trades",
        **({"Return less the recipe's, points": _returned(row)} if "return_difference" in row else {}),
        "Buy and hold": signed_share(row["benchmark_return"]),
        **(_by_seed(row) if "seeds" in row else {"Deflated Sharpe": number(row["deflated_sharpe"])}),
        "Verdict": row["verdict"],
    }
    rows = [[Cell(text=key), Cell(text=value)] for key, value in facts.items()]
    return Table(heads=["", ""], rows=rows, caption=row["variant"])


def _by_seed(row: dict[str, Any]) -> dict[str, str]:
    """One line a seed."""
    found = {}
    for one in row["seeds"]:
        words = [f"skill {number(one['mcc']['value'], 3)}", f"return {signed_share(one['total_return'])}"]
        if one.get("difference", {}).get("value") is not None:
            words.insert(1, f"difference {number(one['difference']['value'], 3)}")
        words += [f"{one['trades']:,} trades", f"deflated Sharpe {number(one['deflated_sharpe'])}"]
        found[f"Seed {one['seed']}"] = ", ".join(words)
    return found


def _skill(row: dict[str, Any]) -> str:
    return f"0: {row['only_class']} only" if row["only_class"] else number(row["mcc"]["value"], 3)


def _difference(row: dict[str, Any], recipe: dict[str, Any]) -> str:
    if "difference" not in row:
        return ""
    return _paired(row, recipe, 2) if row["comparable"] else "not comparable"


def _paired(row: dict[str, Any], recipe: dict[str, Any], digits: int) -> str:
    found = row["difference"]
    if found.get("reason") and found["value"] == 0:
        return "same predictions"
    if row["comparable"] and row["only_class"] and recipe["only_class"]:
        return "0: both say one class only"
    return _estimate(found, digits)


def _returned(row: dict[str, Any]) -> str:
    found = row["return_difference"]
    if found["value"] is None or found["low"] is None:
        return f"{_points(found, 1)}: {found['reason']}"
    return (
        f"{_points(found, 1)}, over {found['n']:,} candles that both trade: "
        f"{signed_share(found['ours'])} and {signed_share(found['theirs'])}"
    )


def _points(found: dict[str, Any] | None, digits: int) -> str:
    if found is None:
        return ""
    if found["value"] is None or found["low"] is None:
        return number(found["value"], 0)
    value, low, high = (100.0 * found[name] for name in ("value", "low", "high"))
    return f"{number(value, digits)} ({number(low, digits)} to {number(high, digits)})"


def _estimate(found: dict[str, Any], digits: int) -> str:
    if found["value"] is None:
        return number(None)
    return f"{number(found['value'], 3)} ({number(found['low'], digits)} to {number(found['high'], digits)})"
