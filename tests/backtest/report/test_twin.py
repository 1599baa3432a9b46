from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np

from triptych.backtest.report import ReportData, SampleImage, report_json


def text(report):
    return json.dumps(report_json(report), allow_nan=False)


def test_two_runs_of_one_recipe_give_the_same_json(report_of):
    assert text(report_of(n=400)) == text(report_of(n=400))


def test_only_the_environment_may_differ(report_of):
    first, second = report_of(n=400), report_of(n=400, environment={"created": "another day", "path": "elsewhere"})
    assert text(first) != text(second)
    assert text(replace(first, environment={})) == text(replace(second, environment={}))


def test_another_trade_or_image_or_price_changes_the_json(report_of):
    report = report_of(n=400)
    known = text(report)
    image = report.samples[0].image.copy()
    image[0, 10, 10] = 1.0 - image[0, 10, 10]
    changed = [
        replace(report, trades=report.trades.head(3)),
        replace(report, equity=report.equity.with_columns(report.equity["equity"] * 1.0001)),
        replace(report, samples=[SampleImage(image=image), *report.samples[1:]]),
        replace(report, candles={}),
    ]
    assert all(text(other) != known for other in changed)


def test_the_last_bits_of_a_float_do_not_matter():
    first = ReportData(title="a", provenance={"x": 0.1 + 0.2})
    second = ReportData(title="a", provenance={"x": 0.3})
    assert text(first) == text(second)
    assert report_json(first)["provenance"]["x"] == 0.3


def test_keys_are_sorted_and_numpy_is_plain():
    plain = report_json(
        ReportData(title="a", provenance={"b": np.float64(1.5), "a": np.array([1, 2]), "c": math.nan, 3: (1,)})
    )
    assert list(plain) == sorted(plain)
    assert plain["provenance"] == {"3": [1], "a": [1, 2], "b": 1.5, "c": None}
    assert list(plain["provenance"]) == ["3", "a", "b", "c"]


def test_the_twin_holds_what_the_page_shows(report):
    plain = report_json(report)
    assert plain["verdict"]["sentence"] == "No evidence of an edge."
    assert plain["equity"]["rows"] == 3000
    assert plain["evaluation"]["confusion"][0] == [412, 301, 287]
    assert len(plain["monthly_returns"]) == 5
    assert plain["samples"][0]["shape"] == [3, 48, 48]
