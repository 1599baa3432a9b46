import json
from dataclasses import replace

import numpy as np
import pytest

from triptych.bootstrap import explained_for_report, explaining, explanation_checks, open_run
from triptych.bootstrap.explanation_pictures import draw_axis, draw_image_and_heat
from triptych.inference.explain import AxisImportance


def test_explain_prints_candles_by_importance_and_writes_picture_and_figures(triptych, trained, tmp_path):
    picture = tmp_path / "why.png"
    said = triptych("explain", trained, "--at", "last", "--method", "occlusion", "--target", "buy", "--out", picture)
    assert said.status == 0
    assert "candles ago" in said.out
    assert "occlusion" in said.out
    assert picture.exists()
    assert picture.with_suffix(".json").exists()


def test_explain_prints_one_json_document(triptych, trained):
    said = triptych("explain", trained, "--at", "last", "--json")
    content = json.loads(said.out)
    assert content["method"] == "integrated_gradients"
    assert len(content["by_candle"]) == len(content["candles"]) == 16


def test_without_a_time_the_surest_decision_of_each_class_is_explained(triptych, trained, tmp_path):
    said = triptych("explain", trained, "--method", "occlusion", "--out", tmp_path / "why.png", "--json")
    rows = json.loads(said.out)["decisions"]
    assert [row["target"] for row in rows] == ["sell", "hold", "buy"]
    assert all(row["chosen"].startswith(f"The surest {row['target']} of ") for row in rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "why-buy.json", "why-buy.png", "why-hold.json", "why-hold.png", "why-sell.json", "why-sell.png",
    ]  # fmt: skip
    said = triptych("explain", trained, "--method", "occlusion", "--target", "buy")
    assert " ".join(said.out.split()).startswith("The surest buy of ")


def test_explain_checks_a_method(triptych, trained):
    said = triptych("explain", trained, "--check", "--decisions", 1, "--method", "grad_cam", "--json")
    (row,) = json.loads(said.out)
    assert row["method"] == "grad_cam"
    assert row["decisions"] == 1


def test_a_check_refuses_what_asks_for_one_decision(triptych, trained, tmp_path):
    said = triptych("explain", trained, "--check", "--at", "last", "--out", tmp_path / "why.png")
    assert said.status == 2
    assert said.error == (
        "Error: --check was given with --at, --out. What to do: It looks at the surest decisions, and draws nothing: "
        "leave one or the other out."
    )


def test_a_number_of_decisions_without_a_check_is_refused(triptych, trained):
    for options in ((), ("--at", "last"), ("--book", trained / "recipe.toml")):
        said = triptych("explain", trained, "--decisions", 3, *options)
        assert said.status == 2
        assert said.error == (
            "Error: --decisions was given without --check. What to do: It says how many decisions the check looks at: "
            "add --check, or leave it out."
        )


def test_the_volumes_of_a_chart_stand_in_table_figures_picture_and_report(triptych, trained, monkeypatch):
    """Of heat that lies in the pane of volumes but for one row of prices."""
    prices = tuple(f"{price}" for price in range(20, 8, -1))
    axis = AxisImportance(kind="price", names=(*prices, "volume"), values=np.array([0.1] + [0.0] * 11 + [0.9]), areas=1)
    honest = explaining.explain

    def planted(*arguments, **options):
        return replace(honest(*arguments, **options), axes=(axis,))

    monkeypatch.setattr(explaining, "explain", planted)
    said = triptych("explain", trained, "--at", "last")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.out.splitlines() if "│" in line]
    assert ["20", "+0.1", "10.0%"] in rows
    assert ["the other 4", "+0", "0.0%"] in rows
    assert ["volume", "+0.9", "90.0%"] in rows
    assert "share of all" in said.out
    (found,) = json.loads(triptych("explain", trained, "--at", "last", "--json").out)["axes"]
    assert found["names"][-1] == "volume"
    assert sum(found["share"]) + found["elsewhere"]["share"] == pytest.approx(1.0)
    assert found["share"][-1] == pytest.approx(0.9)
    decision = explaining.explain_decision(open_run(trained), at="last")
    titles, labels = [], []
    draw_axis(Axes(titles, labels), decision.explanation)
    assert titles == ["importance by price\nvolume 90% of all"]
    assert labels[0] == "20"
    assert labels[-1] == "volume"
    assert explained_for_report._image(decision, "").caption.endswith("; volume has 90% of it")


def test_a_time_that_is_none_is_refused(triptych, trained):
    said = triptych("explain", trained, "--at", "yesterday")
    assert said.status == 2
    assert "'yesterday' is not a time." in said.error


def test_a_map_without_heat_is_said_to_be_one(triptych, trained, monkeypatch):
    honest = explaining.explain

    def flat(*arguments, **options):
        found = honest(*arguments, **options)
        return replace(found, attribution=0.0 * found.attribution)

    monkeypatch.setattr(explaining, "explain", flat)
    monkeypatch.setattr(explanation_checks, "explain", flat)
    said = triptych("explain", trained, "--at", "last", "--method", "grad_cam", "--target", "hold")
    assert "candles ago" not in said.out
    told = " ".join(said.out.split())
    assert "finds nothing that speaks for hold (what speaks against it is cut off)." in told
    assert "`--method integrated_gradients` shows what speaks for and against." in told
    assert json.loads(triptych("explain", trained, "--at", "last", "--method", "grad_cam", "--json").out)["flat"]
    said = triptych("explain", trained, "--check", "--decisions", 2, "--method", "grad_cam")
    assert (
        "Maps without heat, left out of the check: grad_cam 2 of 2. Nothing can be said of grad_cam: no map was left."
    ) in " ".join(said.out.split())


def test_shares_that_do_not_add_up_are_said_to_be_incomplete(triptych, trained, tmp_path, monkeypatch):
    complete = triptych("explain", trained, "--at", "last", "--out", tmp_path / "whole.png")
    assert "ncomplete" not in complete.out
    honest = explaining.explain

    def short(*arguments, **options):
        found = honest(*arguments, **options)
        return replace(found, facts={"sum": 0.2, "difference": 0.9, "complete": False, "steps": 512})

    monkeypatch.setattr(explaining, "explain", short)
    picture = tmp_path / "short.png"
    said = " ".join(triptych("explain", trained, "--at", "last", "--out", picture).out.split())
    assert (
        "Incomplete: after 512 steps the shares still sum to +0.200 where the network's difference is +0.900." in said
    )
    assert picture.read_bytes() != (tmp_path / "whole.png").read_bytes()
    titles = []
    decision = explaining.explain_decision(open_run(trained), at="last")
    draw_image_and_heat([Axes(titles), Axes(titles)], decision.explanation)
    assert titles[1].endswith("\nincomplete: shares sum to +0.200 of +0.900")


class Axes:
    """Matplotlib axes that keep their title and the words beside their rows."""

    def __init__(self, titles, labels=None):
        self.titles, self.labels = titles, labels

    def set_title(self, title, **_):
        self.titles.append(title)

    def set_yticks(self, _places, labels=(), **_):
        if self.labels is not None:
            self.labels.extend(labels)

    def __getattr__(self, _name):
        return lambda *_arguments, **_options: None
