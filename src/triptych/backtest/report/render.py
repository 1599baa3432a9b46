"""From report data to one HTML page that needs nothing but itself: scripts, styles and images are inside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from triptych.backtest.report.data import ReportData
from triptych.backtest.report.sections import SECTIONS, Absence, Section, build
from triptych.backtest.report.words import MISSING, moment, number, plain, probability, share, signed_share

__all__ = ["SECTIONS", "render", "render_page"]


class Heading(Protocol):
    """What stands at the top of a page."""

    @property
    def title(self) -> str:
        """Of the page."""

    @property
    def description(self) -> str:
        """A sentence beneath it; may be empty."""


def render(report: ReportData) -> str:
    """The report as the text of one HTML file. The same data gives the same text."""
    present, missing = build(report)
    return render_page(
        report,
        present,
        verdict=report.verdict,
        cards=_cards(report.performance, report.luck),
        period=_period(report.performance),
        missing=missing,
    )


def render_page(
    heading: Heading,
    sections: list[Section],
    *,
    verdict: Mapping[str, Any] | None = None,
    cards: list[dict[str, str]] | None = None,
    period: str = "",
    missing: Sequence[Absence] = (),
) -> str:
    """A page of sections as the text of one HTML file.

    Args:
        heading: whatever has a `title` and a `description`.
        sections: in their order.
        verdict: as `Verdict.to_dict` gives it.
        cards: key figures with `name`, `value`, `beside` and `tone` (gain, loss or empty).
        period: a line beneath the description.
        missing: what is left out, and why.
    """
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_resource),
    )
    environment.filters |= {"moment": moment, "plain": plain}
    return environment.get_template("report.html.j2").render(
        report=heading,
        verdict=verdict,
        cards=cards or [],
        period=period,
        sections=sections,
        missing=missing,
        figures=script_json(_figures(sections)),
        style=Markup(_resource("report.css")),
        script=Markup(_resource("report.js")),
        plotly=Markup(_plotly() if any(section.plots for section in sections) else ""),
    )


def script_json(value: Any) -> Markup:
    """JSON that may stand inside a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


@cache
def _resource(name: str) -> str:
    return files("triptych.backtest.report").joinpath(name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    return str(get_plotlyjs()).replace("</script", "<\\/script")


def _figures(sections: list[Section]) -> dict[str, Any]:
    """Specifications by the id of the element each is drawn in, as the template names them."""
    return {
        f"{section.name}-{group}-{place}": figure.spec()
        for section in sections
        for group, figures in enumerate(section.plots, start=1)
        for place, figure in enumerate(figures, start=1)
    }


def _period(performance: Mapping[str, Any] | None) -> str:
    if not performance:
        return ""
    return (
        f"{moment(performance['start_ms'])} to {moment(performance['end_ms'])} UTC, "
        f"{performance['candles']:,} candles, {performance['years']:.2f} years"
    )


def _cards(performance: Mapping[str, Any] | None, luck: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """Key figures: name, value, what to compare it with, and whether it is good or bad."""
    cards: list[dict[str, str]] = []

    def add(name: str, value: str, beside: str, tone: str = "") -> None:
        cards.append({"name": name, "value": value, "beside": beside, "tone": tone})

    if performance:
        own, market, trades = performance["strategy"], performance["benchmark"], performance["trades"]
        total = own["total_return"]
        add(
            "Return after costs",
            signed_share(total),
            f"buy and hold {signed_share(market['total_return'])}",
            _tone(total),
        )
    if luck:
        timing = luck["timing_return"]
        if timing:
            scale = min(1.0, performance["years"]) if performance else 1.0
            low, high = signed_share(timing["low"] * scale), signed_share(timing["high"] * scale)
            unit = "a year, " if scale == 1.0 else ""
            tone = "gain" if timing["low"] > 0 else "loss" if timing["high"] < 0 else ""
            add("Earned by timing", signed_share(timing["value"] * scale), f"{unit}95 % interval {low} to {high}", tone)
        found = luck["probability_of_luck"]
        of = "one trial" if luck["trials"] == 1 else f"the best of {luck['trials']} trials"
        add("Probability of luck", probability(found), of, "gain" if found <= 0.05 else "loss")
    if performance:
        add("Sharpe ratio", number(own["sharpe"]), f"buy and hold {number(market['sharpe'])}")
        deepest = own["drawdown"]
        add("Deepest drawdown", share(deepest["depth"]), f"{number(deepest['days'], 1)} days long")
        beside = f"{share(trades['win_rate'])} won" if trades["count"] else MISSING
        add("Round trips", plain(trades["count"]), beside)
        costs = performance["costs"]
        add("Costs", share(costs["total_share"]), f"of the capital; {number(costs['total'])} in money")
        exposed = performance["exposure"]
        add(
            "In the market", share(exposed["time_in_market"]), f"mean exposure {signed_share(exposed['mean_exposure'])}"
        )
    return cards


def _tone(value: float) -> str:
    return "gain" if value > 0 else "loss" if value < 0 else ""
