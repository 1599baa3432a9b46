"""Which sections a report has, what each shows, and why one is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triptych.backtest.report import figures_equity, figures_model, figures_trades, tables
from triptych.backtest.report.data import ReportData, SampleImage
from triptych.backtest.report.figure import Figure
from triptych.backtest.report.guard_log import guard_table
from triptych.backtest.report.pictures import data_uri
from triptych.backtest.report.tables import Table
from triptych.backtest.report.words import label, share


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A sample image with its words; `right` is None when there is nothing to compare."""

    source: str
    title: str
    caption: str
    right: bool | None


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part of the page. `plots` are groups of figures that share a place, one of them seen at a time."""

    name: str
    title: str
    lead: str = ""
    plots: Sequence[Sequence[Figure]] = ()
    tables: Sequence[Table] = ()
    heat: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    text: str = ""
    passed: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Absence:
    """A section that is left out and why."""

    title: str
    why: str


def build(report: ReportData) -> tuple[list[Section], list[Absence]]:
    """The sections that have data, in order, and those that have none."""
    present: list[Section] = []
    missing: list[Absence] = []
    for name, (title, maker, why) in SECTIONS.items():
        section = maker(name, title, report)
        if section is not None:
            present.append(section)
        else:
            missing.append(Absence(title=title, why=str(report.absent.get(name, why))))
    return present, missing


def _equity(name: str, title: str, report: ReportData) -> Section | None:
    if report.equity is None or report.equity.height == 0:
        return None
    figure = figures_equity.equity_figure(report.equity, report.initial_capital, report.boundaries)
    found = [tables.performance_table(report.performance)] if report.performance else []
    if report.guard is not None and report.guard.height:
        found.append(guard_table(report.guard, int(report.equity["time"].dt.epoch("ms").max())))  # type: ignore[arg-type]
    return Section(name=name, title=title, plots=[[figure]], tables=found)


def _trades_on_candles(name: str, title: str, report: ReportData) -> Section | None:
    if report.trades is None or report.trades.height == 0 or not report.candles:
        return None
    return Section(
        name=name,
        title=title,
        lead="Triangles are entries, rings exits; drag the strip beneath to move through time.",
        plots=[figures_trades.trade_figures(report.candles, report.trades)],
    )


def _monthly(name: str, title: str, report: ReportData) -> Section | None:
    if report.equity is None or report.equity.height == 0:
        return None
    table = tables.monthly_table(report.equity, report.initial_capital)
    return Section(
        name=name, title=title, lead="In per cent, after costs. The last column is buy-and-hold.", heat=[table]
    )


def _costs(name: str, title: str, report: ReportData) -> Section | None:
    if report.equity is None or report.equity.height == 0 or not report.performance:
        return None
    return Section(
        name=name,
        title=title,
        plots=[[figures_equity.costs_figure(report.equity)]],
        tables=[tables.cost_rows(report.performance)],
    )


def _trade_statistics(name: str, title: str, report: ReportData) -> Section | None:
    if report.trades is None or report.trades.height == 0:
        return None
    found = [tables.trade_table(report.performance)] if report.performance else []
    return Section(
        name=name,
        title=title,
        plots=[[figures_trades.distribution_figure(report.trades)]],
        tables=[*found, tables.trade_groups(report.trades)],
    )


def _luck(name: str, title: str, report: ReportData) -> Section | None:
    if not report.luck:
        return None
    lead = (
        "The timing return is what the strategy earned beyond its mean exposure to the market: being long in a rising "
        "market is no skill. Intervals come from resampling blocks of history."
    )
    found = [tables.luck_table(report.luck), tables.luck_facts(report.luck)]
    return Section(name=name, title=title, lead=lead, tables=[one for one in found if one.rows])


def _model(name: str, title: str, report: ReportData) -> Section | None:
    evaluation = report.evaluation
    if not evaluation:
        return None
    plots: list[list[Figure]] = [group for group in [figures_model.metric_figures(evaluation)] if group]
    calibration = figures_model.calibration_figure(evaluation.get("calibration") or {})
    if calibration:
        plots.append([calibration])
    heat = [tables.confusion_table(evaluation["confusion"])] if evaluation.get("confusion") else []
    found = [tables.metrics_table(evaluation)] if evaluation.get("metrics") else []
    extra = {key: evaluation[key] for key in ("class_counts", "comparison") if evaluation.get(key)}
    for key, value in extra.items():
        found.append(_any_table(value, label(key)))
    look_up = evaluation.get("look_up") or {"figures": {}, "neighbours": 0}
    found += _figures("Foretold beside the direction", evaluation.get("tasks") or {})
    found += _figures(f"Foretold by the {look_up['neighbours']} most similar windows of the past", look_up["figures"])
    stream = evaluation.get("stream")
    if stream:
        ways = [{"asked": name, "MCC": _with_interval(stream[name])} for name in ("window", "stream", "difference")]
        found.append(_any_table(ways, f"Candle by candle, with memory. {stream['sentence']}"))
    lead = ""
    if evaluation.get("n"):
        lead = f"Measured on {evaluation['n']:,} windows the model never saw in training"
        effective = evaluation.get("effective_n")
        lead += f"; their labels overlap and are worth {effective:,.0f} independent ones." if effective else "."
    return Section(name=name, title=title, lead=lead, plots=plots, heat=heat, tables=found)


def _figures(title: str, figures: dict[str, Any]) -> list[Table]:
    """A table for each figure that was foretold: what it saves of the squared error of each plain rule."""
    found = []
    for figure, judged in figures.items():
        rows = [
            {"measure": f"squared error saved, of {r}", "value": _with_interval(s)} for r, s in judged["skill"].items()
        ]
        for name in ("correlation", "rank_correlation"):
            if name in judged:
                rows.append({"measure": f"{label(name)} with what followed", "value": _with_interval(judged[name])})
        found.append(_any_table(rows, f"{title}: {figure}. {judged['sentence']}"))
    return found


def _consensus(name: str, title: str, report: ReportData) -> Section | None:
    found = report.consensus
    if not found:
        return None
    models = [
        {"model": model, **{figure: _with_interval(value) for figure, value in figures.items()}}
        for model, figures in found["models"].items()
    ]
    lift = [{"figure": figure, "lift": _with_interval(value)} for figure, value in found["lift"].items()]
    pairs = [
        {"pair": pair, "error correlation": value, "disagree on": share(found["disagreement"][pair])}
        for pair, value in found["error_correlation"].items()
    ]
    alone = [{"member": member, **figures} for member, figures in found.get("alone", {}).items()]
    lead = (
        f"{found['sentence']} Coverage: share of samples on which a model, flat before, would have entered. Precision: "
        "share of these on which the class of its direction followed, of all and of the 30 % it was surest of. Mean "
        f"return: of a call, after costs of {share(found['cost'])}."
    )
    rows = (
        (models, f"Models on {found['n']:,} samples, by {found['method']}; intervals of 95 % by blocks of time"),
        (lift, f"Lift over the better member, {found['better_member']}"),
        (pairs, "How far the members' errors go together"),
        (alone, "Each member alone: same period, strategy, limits and costs"),
        (found.get("decisions", []), "The last decisions to be in the market, with every vote"),
    )
    return Section(name=name, title=title, lead=lead, tables=[_any_table(value, head) for value, head in rows if value])


def _with_interval(value: Any) -> str:
    """A value with its interval in words."""
    if not isinstance(value, Mapping):
        return "-" if value is None else f"{value:.3f}"
    if value.get("value") is None:
        return "-"
    if value.get("low") is None:
        return f"{value['value']:.4f}"
    return f"{value['value']:.4f} ({value['low']:.4f} to {value['high']:.4f})"


def _samples(name: str, title: str, report: ReportData) -> Section | None:
    if not report.samples:
        return None
    return Section(name=name, title=title, pictures=[_picture(sample) for sample in report.samples])


def _explanations(name: str, title: str, report: ReportData) -> Section | None:
    if not report.explanations:
        return None
    lead = (
        "Left what the network saw, right what moved it: green spoke for its answer, magenta against it. This says "
        "what the network looked at, not that it was right to."
    )
    votes = [_any_table(one["rows"], one["caption"]) for one in report.explained_votes]
    pictures = [_picture(one) for one in report.explanations]
    return Section(name=name, title=title, lead=lead, pictures=pictures, tables=votes)


def _training(name: str, title: str, report: ReportData) -> Section | None:
    figure = figures_model.training_figure(report.training_curves) if report.training_curves else None
    return Section(name=name, title=title, plots=[[figure]]) if figure else None


def _quality(name: str, title: str, report: ReportData) -> Section | None:
    if not report.data_quality:
        return None
    return Section(name=name, title=title, tables=[_any_table(report.data_quality)])


def _leaks(name: str, title: str, report: ReportData) -> Section | None:
    probe = report.leak_probe
    if not probe:
        return None
    rest = {key: value for key, value in probe.items() if key not in ("passed", "sentence")}
    lists = {key: value for key, value in rest.items() if _is_records(value)}
    facts = {key: value for key, value in rest.items() if key not in lists}
    found = [tables.records_table(value) for value in lists.values()]
    if facts:
        found.append(tables.facts_table(facts))
    passed = probe.get("passed")
    return Section(name=name, title=title, lead=str(probe.get("sentence", "")), tables=found, passed=passed)


def _recipe(name: str, title: str, report: ReportData) -> Section | None:
    return Section(name=name, title=title, text=report.recipe) if report.recipe else None


def _provenance(name: str, title: str, report: ReportData) -> Section | None:
    found = [tables.facts_table(facts) for facts in (report.provenance, report.environment) if facts]
    return Section(name=name, title=title, tables=found) if found else None


SECTIONS: dict[str, tuple[str, Callable[[str, str, ReportData], Section | None], str]] = {
    "equity": ("Equity", _equity, "No backtest was run."),
    "candles": ("Trades on candles", _trades_on_candles, "The strategy made no trade, or no candles were given."),
    "monthly": ("Monthly returns", _monthly, "No backtest was run."),
    "costs": ("Costs", _costs, "No backtest was run."),
    "trades": ("Trades", _trade_statistics, "The strategy made no trade."),
    "luck": ("Skill or luck", _luck, "Luck was not assessed."),
    "model": ("The model's predictions", _model, "No predictions were evaluated."),
    "consensus": ("Consensus", _consensus, "One model decides alone."),
    "samples": ("What the network saw", _samples, "No images were kept."),
    "explanations": ("Why it decided so", _explanations, "No decision was explained."),
    "training": ("Training", _training, "No training curves were recorded."),
    "quality": ("Data quality", _quality, "The candles were not checked."),
    "leaks": ("Leak probe", _leaks, "The leak probe was not run."),
    "recipe": ("Recipe", _recipe, "The run had no recipe."),
    "provenance": ("Provenance", _provenance, "Nothing was recorded of versions, data and seed."),
}
"""Sections in the order of the page: name -> title, maker, and why it is missing when it is."""


def _any_table(value: Any, caption: str = "") -> Table:
    if _is_records(value):
        table = tables.records_table(value)
    elif isinstance(value, Mapping) and value and all(isinstance(one, Mapping) for one in value.values()):
        table = tables.records_table([{"name": key} | dict(one) for key, one in value.items()])
    else:
        table = tables.facts_table(value if isinstance(value, Mapping) else {"value": value})
    return Table(heads=table.heads, rows=table.rows, caption=caption)


def _is_records(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(one, Mapping) for one in value)


def _picture(sample: SampleImage) -> Picture:
    words = []
    if sample.prediction:
        certainty = f" ({share(sample.probability)})" if sample.probability is not None else ""
        words.append(f"said {sample.prediction}{certainty}")
    if sample.label:
        words.append(f"was {sample.label}")
    right = sample.prediction == sample.label if sample.prediction and sample.label else None
    return Picture(source=data_uri(sample.image), title=", ".join(words), caption=sample.caption, right=right)
