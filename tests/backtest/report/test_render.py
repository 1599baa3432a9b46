from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from triptych.backtest.report import ReportData, SampleImage, candle_frame, render
from triptych.backtest.report.render import SECTIONS, script_json
from triptych.domain import CandleSeries, Instrument, Timeframe

VOID = {"meta", "img", "rect", "br", "link"}
TITLES = {name: title for name, (title, _, _) in SECTIONS.items()}


class Page(HTMLParser):
    """Collects elements, and fails on a tag that is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and data.strip():
            self.texts.setdefault(self.open[-1], []).append(data.strip())

    def ids(self):
        return [attrs["id"] for _, attrs in self.elements if attrs.get("id")]

    def figures(self):
        found = [text for text in self.texts["script"] if text.startswith("{")]
        return json.loads(found[0])


def without_library(text: str) -> str:
    """The page without plotly.js."""
    return max(re.split(r"<script>/\*\*\n\* plotly\.js.*?</script>", text, flags=re.DOTALL), key=len)


def test_every_section_stands_once_in_the_page_in_order(report):
    page = Page(render(report))
    assert [name for name in page.ids() if name in SECTIONS] == list(SECTIONS)
    assert "missing" not in page.ids()
    assert len(page.ids()) == len(set(page.ids()))


def test_every_plot_has_its_place_and_every_place_its_plot(report):
    page = Page(render(report))
    places = [attrs["id"] for _, attrs in page.elements if attrs.get("class") == "plot"]
    assert sorted(page.figures()) == sorted(places)
    assert "equity-1-1" in places
    # latest candles and whole period share one place
    assert "candles-1-1" in places
    assert "candles-1-2" in places


def test_the_page_loads_nothing_from_anywhere(report):
    text = render(report)
    page = Page(text)
    policy = next(attrs["content"] for tag, attrs in page.elements if tag == "meta" and "http-equiv" in attrs)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
    for tag, attrs in page.elements:
        assert tag not in ("link", "iframe", "object", "embed")
        for name in ("src", "href"):
            if name in attrs:
                assert attrs[name].startswith(("data:image/png;base64,", "#"))
    assert "@import" not in text.split("</style>")[0]


def test_the_page_holds_plotly_once_and_is_small_besides(report):
    text = render(report)
    assert text.count("* plotly.js v") == 1
    assert len(without_library(text)) < 700_000
    assert len(text) - len(without_library(text)) > 3_000_000


def test_the_same_data_gives_the_same_page(report_of):
    assert render(report_of(n=500)) == render(report_of(n=500))


def test_markup_in_any_name_stays_text(report_of):
    evil = '<script>alert("x")</script>'
    report = report_of(
        n=600,
        symbol=evil,
        title=evil,
        description=evil,
        recipe=evil,
        boundaries=[{"time_ms": 1_672_531_200_000, "label": evil}],
        provenance={evil: evil},
        data_quality=[{evil: evil}],
        leak_probe={"passed": False, "sentence": evil, "results": [{"name": evil}]},
        evaluation={"metrics": {evil: 0.5}, "baselines": {evil: {evil: 0.4}}, "comparison": {evil: evil}},
        absent={"luck": evil},
        luck=None,
    )
    text = render(report)
    page = Page(text)
    assert 'alert("x")' not in "".join(script for script in page.texts["script"] if not script.startswith("{"))
    assert evil not in text
    assert sum(tag == "script" for tag, _ in page.elements) == 3
    # plotly.js reads tags in labels, so they are escaped there too
    assert not re.search(r"\\u003cscript", without_library(text))
    assert "&lt;script" in page.figures()["equity-1-1"]["layout"]["annotations"][0]["text"]


def test_a_script_element_cannot_be_left_from_inside():
    text = str(script_json({"a": "</script><!-- & \u2028"}))
    assert text == '{"a":"\\u003c/script\\u003e\\u003c!-- \\u0026 \\u2028"}'
    assert json.loads(text) == {"a": "</script><!-- & \u2028"}


def test_an_empty_report_names_everything_it_lacks():
    page = Page(render(ReportData(title="Nothing")))
    assert [name for name in page.ids() if name in SECTIONS] == []
    assert set(TITLES.values()) <= set(page.texts["dt"])
    assert "The leak probe was not run." in page.texts["dd"]
    assert "No predictions were evaluated." in page.texts["dd"]
    assert page.figures() == {}


def test_an_empty_report_does_not_carry_the_plot_library():
    assert len(render(ReportData(title="Nothing"))) < 40_000


def test_a_missing_section_can_say_its_own_reason(report_of):
    page = Page(render(report_of(n=400, evaluation=None, absent={"model": "Rules decide here, no model."})))
    assert "Rules decide here, no model." in page.texts["dd"]
    assert "model" not in page.ids()


@pytest.mark.parametrize("name", ["verdict", "performance", "luck", "equity", "trades", "evaluation", "leak_probe"])
def test_each_part_may_be_missing(report_of, name):
    page = Page(render(report_of(n=400, **{name: None})))
    assert page.texts["h2"]


def test_a_strategy_that_never_trades_has_a_report(make_result, report_of):
    result = make_result(np.full(300, 0.001), np.zeros(300))
    page = Page(render(report_of(n=300, equity=result.equity, trades=result.trades)))
    assert "The strategy made no trade." in page.texts["dd"]
    assert "equity" in page.ids()


def test_a_report_of_one_candle_is_drawn(report_of):
    assert "verdict" in Page(render(report_of(n=1))).ids()


def test_the_verdict_stands_first_in_words(report):
    page = Page(render(report))
    assert page.texts["h2"][0] == "No evidence of an edge."
    assert page.ids().index("verdict") < page.ids().index("equity")


def test_an_edge_shows_its_caveats(report_of):
    text = render(report_of(edge=0.0015))
    assert "Evidence of an edge." in text
    assert "What this does not show" in text


def test_key_figures_stand_on_cards(report):
    page = Page(render(report))
    text = " ".join(page.texts["span"])
    for name in ("Return after costs", "Earned by timing", "Probability of luck", "Sharpe ratio", "Deepest drawdown"):
        assert name in text


def test_images_are_shown_as_png(report):
    pictures = [attrs for tag, attrs in Page(render(report)).elements if tag == "img"]
    assert len(pictures) == 4
    assert pictures[0]["alt"] == "said buy (41.0 %), was buy"


def test_a_picture_without_words_has_a_description(report_of):
    sample = SampleImage(image=np.zeros((4, 4), dtype=np.uint8))
    pictures = [attrs for tag, attrs in Page(render(report_of(n=300, samples=[sample]))).elements if tag == "img"]
    assert pictures[0]["alt"] == "Image of a window"


def test_candles_of_a_series_become_a_frame():
    series = CandleSeries(
        instrument=Instrument(symbol="A"),
        timeframe=Timeframe.parse("1h"),
        open_time_ms=np.array([0, 3_600_000]),
        values=np.array([[1.0, 2.0, 0.5, 1.5, 7.0], [1.5, 3.0, 1.0, 2.0, 8.0]]),
    )
    frame = candle_frame(series)
    assert frame.columns == ["time", "open", "high", "low", "close", "volume"]
    assert frame["time"].dt.epoch("ms").to_list() == [0, 3_600_000]
    assert frame["high"].to_list() == [2.0, 3.0]
    assert frame.schema["time"] == pl.Datetime("ms", "UTC")
