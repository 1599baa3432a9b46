"""Tables of the report, as plain rows for the template."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from triptych.backtest.monthly import monthly_returns
from triptych.backtest.report.figures_model import estimate, lower_is_better
from triptych.backtest.report.words import MISSING, label, moment, number, plain, probability, share, signed_share
from triptych.domain import CLASSES

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell: its text, a `tone` (gain, loss, measure, words or empty) and the tone's `weight` from 0 to 1.

    Gains and losses are coloured so strongly; a measure is a bar of that length; words go on in the next line.
    """

    text: str
    tone: str = ""
    weight: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Table:
    """Heads and rows; the first cell of a row is its name."""

    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


def monthly_table(equity: pl.DataFrame, initial_capital: float) -> Table:
    """Returns by year (rows) and month (columns), with the year's return and that of buy-and-hold."""
    months = monthly_returns(equity, initial_capital)
    known = [abs(value) for value in months["return"] if value is not None]
    largest = max([*known, 1e-9])
    rows = []
    for (year,), group in months.group_by("year", maintain_order=True):
        found = {row["month"]: row["return"] for row in group.iter_rows(named=True)}
        cells = [Cell(text="") if month not in found else _return_cell(found[month], largest) for month in range(1, 13)]
        total, market = _compound(group["return"]), _compound(group["benchmark"])
        rows.append([Cell(text=str(year)), *cells, _return_cell(total, 1e9), _return_cell(market, 1e9)])
    return Table(heads=["Year", *MONTHS, "All", "Hold"], rows=rows)


def performance_table(performance: Mapping[str, Any]) -> Table:
    """Return and risk of the strategy beside buy-and-hold."""
    lines: tuple[tuple[str, Callable[[Mapping[str, Any]], str]], ...] = (
        ("Total return", lambda one: signed_share(one["total_return"])),
        ("Annual return", lambda one: signed_share(one["annual_return"])),
        ("Annual volatility", lambda one: share(one["annual_volatility"])),
        ("Sharpe", lambda one: number(one["sharpe"])),
        ("Sortino", lambda one: number(one["sortino"])),
        ("Calmar", lambda one: number(one["calmar"])),
        ("Deepest drawdown", lambda one: share(one["drawdown"]["depth"])),
        ("Its length", lambda one: _length(one["drawdown"], "candles", "days")),
        ("It began", lambda one: moment(one["drawdown"]["peak_ms"])),
        ("It was deepest", lambda one: moment(one["drawdown"]["trough_ms"])),
        ("It ended", lambda one: _recovery(one["drawdown"])),
        ("Longest below a peak", lambda one: _length(one["drawdown"], "longest_candles", "longest_days")),
    )
    both = performance["strategy"], performance["benchmark"]
    rows = [[Cell(text=name), *(Cell(text=show(one)) for one in both)] for name, show in lines]
    return Table(heads=["", "Strategy", "Buy and hold"], rows=rows)


def trade_table(performance: Mapping[str, Any]) -> Table:
    """Figures of the round trips and of the exposure."""
    trades, market = performance["trades"], performance["exposure"]
    lines = [
        ("Round trips", plain(trades["count"])),
        ("Long / short", f"{trades['long_count']} / {trades['short_count']}"),
        ("Without overlap in time", plain(trades["independent_count"])),
        ("Win rate", share(trades["win_rate"])),
        ("Profit factor", number(trades["profit_factor"])),
        ("Average return", signed_share(trades["average_return"])),
        ("Average gain / loss", f"{signed_share(trades['average_win'])} / {share(trades['average_loss'])}"),
        ("Largest gain / loss", f"{number(trades['largest_win'])} / {number(trades['largest_loss'])}"),
        ("Average time held", f"{number(trades['average_candles_held'], 1)} candles"),
        ("Time in the market", share(market["time_in_market"])),
        ("Mean exposure", signed_share(market["mean_exposure"])),
        ("Turnover", f"{number(market['turnover_per_year'], 1)} × equity a year"),
    ]
    return Table(heads=["", ""], rows=[[Cell(text=name), Cell(text=value)] for name, value in lines])


def trade_groups(trades: pl.DataFrame) -> Table:
    """Trades by side, by how they ended and, with several, by instrument."""
    keys = [("side", "Side"), ("exit_reason", "Ended by")]
    if trades["symbol"].n_unique() > 1:
        keys.append(("symbol", "Instrument"))
    rows = []
    for key, name in keys:
        groups = trades.group_by(key).agg(
            pl.len().alias("count"),
            (pl.col("profit") > 0).mean().alias("wins"),
            pl.col("return").mean().alias("mean"),
            pl.col("profit").sum(),
        )
        for row in groups.sort("count", key, descending=[True, False]).iter_rows(named=True):
            tone = "gain" if row["profit"] > 0 else "loss"
            shown = row[key] if key == "symbol" else str(row[key]).replace("_", " ")
            rows.append(
                [
                    Cell(text=f"{name}: {shown}"),
                    Cell(text=plain(row["count"])),
                    Cell(text=share(row["wins"])),
                    Cell(text=signed_share(row["mean"])),
                    Cell(text=number(row["profit"]), tone=tone),
                ]
            )
    return Table(heads=["", "Trades", "Win rate", "Average return", "Profit"], rows=rows)


def cost_rows(performance: Mapping[str, Any]) -> Table:
    """What each kind of cost took: money, share of the initial capital, and a bar by size."""
    costs = performance["costs"]
    kinds = (("fees", "Fees"), ("spread_slippage", "Spread and slippage"), ("funding", "Funding"))
    largest = max(*(abs(costs[key]) for key, _ in kinds), 1e-9)
    rows = [
        [
            Cell(text=name),
            Cell(text=number(costs[key])),
            Cell(text=share(costs[f"{key}_share"]), tone="measure", weight=abs(costs[key]) / largest),
        ]
        for key, name in kinds
    ]
    rows.append([Cell(text="Total"), Cell(text=number(costs["total"])), Cell(text=share(costs["total_share"]))])
    rows.append(
        [Cell(text="Return before costs"), Cell(text=""), Cell(text=signed_share(costs["return_before_costs"]))]
    )
    rows.append(
        [
            Cell(text="Return after costs"),
            Cell(text=""),
            Cell(text=signed_share(performance["strategy"]["total_return"])),
        ]
    )
    return Table(heads=["", "Money", "Of capital"], rows=rows)


def luck_table(luck: Mapping[str, Any]) -> Table:
    """Bootstrap intervals."""
    rows = []
    for key, name, show in (
        ("timing_return", "Timing return a year", signed_share),
        ("mean_return", "Mean return a year", signed_share),
        ("total_return", "Total return", signed_share),
        ("sharpe", "Sharpe ratio", number),
    ):
        found = luck[key]
        if found is not None:
            low, high = found["low"], found["high"]
            tone = "gain" if low > 0 else "loss" if high < 0 else ""
            rows.append(
                [
                    Cell(text=name),
                    Cell(
                        text=f"{show(found['value'])}\n{show(low)} to {show(high)}",
                        tone=tone,
                        weight=0.35 if tone else 0.0,
                    ),
                ]
            )
    return Table(heads=["", "Estimate and 95 % interval"], rows=rows)


def luck_facts(luck: Mapping[str, Any]) -> Table:
    """Probabilities and what they rest on."""
    years = luck["minimum_track_record_years"]
    lines = [
        ("Probability that luck alone does this well", probability(luck["probability_of_luck"])),
        ("Sharpe ratio above zero (probabilistic)", probability(luck["probabilistic_sharpe"])),
        (f"The same after {luck['trials']} trials (deflated)", probability(luck["deflated_sharpe"])),
        ("Timing above zero (deflated)", probability(luck["deflated_timing_sharpe"])),
        ("Track record needed for 95 %", MISSING if years is None else f"{number(years)} years"),
        ("Independent returns", f"{number(luck['effective_observations'], 0)} of {plain(luck['candles'])}"),
        ("Bootstrap", f"{plain(luck['replicates'])} histories, blocks of {luck['block_length']} candles"),
    ]
    return Table(heads=["", ""], rows=[[Cell(text=name), Cell(text=value)] for name, value in lines])


def confusion_table(confusion: Sequence[Sequence[float]]) -> Table:
    """Counts of true against predicted classes; the colour is the share of the true class."""
    rows: list[list[Cell]] = []
    for name, counts in zip(CLASSES, confusion, strict=True):
        total = sum(counts)
        cells = [
            Cell(
                text=f"{plain(int(count))}\n{share(count / total if total else None)}",
                tone="gain" if column == len(rows) else "loss",
                weight=count / total if total else 0.0,
            )
            for column, count in enumerate(counts)
        ]
        rows.append([Cell(text=f"was {name}"), *cells, Cell(text=plain(int(total)))])
    return Table(heads=["", *(f"said {name}" for name in CLASSES), "All"], rows=rows)


def metrics_table(evaluation: Mapping[str, Any]) -> Table:
    """Every metric of the model with its interval beside the baselines; coloured where the interval excludes one."""
    baselines: Mapping[str, Any] = evaluation.get("baselines") or {}
    rows = []
    for name, found in (evaluation.get("metrics") or {}).items():
        own = estimate(found)
        cells = [Cell(text=label(name)), Cell(text=_interval(own))]
        for values in baselines.values():
            other = estimate(values.get(name))
            cells.append(Cell(text=_interval(other), tone=_tone(name, own, other), weight=0.3))
        rows.append(cells)
    heads = ["", "Model", *(label(name) for name in baselines)]
    caption = (
        "Green: the model's 95 % interval lies wholly on the better side of the baseline's value. "
        "Red: on the worse side."
    )
    return Table(heads=heads, rows=rows, caption=caption if baselines else "")


def records_table(records: Sequence[Mapping[str, Any]]) -> Table:
    """Any list of mappings with plain values; columns in the order in which they first appear."""
    flat = [flattened(record) for record in records]
    heads = list(dict.fromkeys(key for record in flat for key in record))
    rows = [[Cell(text=plain(record.get(head))) for head in heads] for record in flat]
    return Table(heads=[label(head) for head in heads], rows=rows)


def facts_table(facts: Mapping[str, Any]) -> Table:
    """Any mapping as names and values; inner mappings are written with a dot."""
    rows = [[Cell(text=key), Cell(text=plain(value))] for key, value in flattened(facts).items()]
    return Table(heads=["", ""], rows=rows)


def flattened(facts: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Inner mappings written out: `{"a": {"b": 1}}` -> `{"a.b": 1}`."""
    flat: dict[str, Any] = {}
    for key, value in facts.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _return_cell(value: float | None, largest: float) -> Cell:
    if value is None:
        return Cell(text=MISSING)
    tone = "gain" if value > 0 else "loss" if value < 0 else ""
    return Cell(text=f"{100 * value:+,.1f}".replace("-", "−"), tone=tone, weight=min(1.0, abs(value) / largest))


def _compound(returns: pl.Series) -> float | None:
    known = returns.drop_nulls()
    return float((known + 1).product()) - 1 if len(known) else None


def _length(drawdown: Mapping[str, Any], candles: str, days: str) -> str:
    return f"{plain(drawdown[candles])} candles\n{number(drawdown[days], 1)} days"


def _recovery(drawdown: Mapping[str, Any]) -> str:
    if drawdown["peak_ms"] is not None and drawdown["recovery_ms"] is None:
        return "not yet"
    return moment(drawdown["recovery_ms"])


def _interval(found: Mapping[str, float | None]) -> str:
    if found["value"] is None:
        return MISSING
    if found["low"] is None or found["high"] is None:
        return number(found["value"], 3)
    return f"{number(found['value'], 3)}\n{number(found['low'], 3)} to {number(found['high'], 3)}"


def _tone(name: str, own: Mapping[str, float | None], other: Mapping[str, float | None]) -> str:
    value, low, high = other["value"], own["low"], own["high"]
    if value is None or low is None or high is None or low <= value <= high:
        return ""
    return "gain" if (low > value) != lower_is_better(name) else "loss"
