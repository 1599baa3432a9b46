import json
from dataclasses import replace

from triptych.bootstrap import explaining


def test_explain_prints_candles_by_importance_and_writes_picture_and_figures(triptych, trained, tmp_path):
    picture = tmp_path / "why.png"
    said = triptych("explain", trained, "--method", "occlusion", "--target", "buy", "--out", picture)
    assert said.status == 0
    assert "candles ago" in said.out
    assert "occlusion" in said.out
    assert picture.exists()
    assert picture.with_suffix(".json").exists()


def test_explain_prints_one_json_document(triptych, trained):
    said = triptych("explain", trained, "--json")
    content = json.loads(said.out)
    assert content["method"] == "integrated_gradients"
    assert len(content["by_candle"]) == len(content["candles"]) == 16


def test_explain_checks_a_method(triptych, trained):
    said = triptych("explain", trained, "--check", "--decisions", 1, "--method", "grad_cam", "--json")
    (row,) = json.loads(said.out)
    assert row["method"] == "grad_cam"
    assert row["decisions"] == 1


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
    said = triptych("explain", trained, "--method", "grad_cam", "--target", "hold")
    assert "candles ago" not in said.out
    told = " ".join(said.out.split())
    assert "finds nothing that speaks for hold (what speaks against it is cut off)." in told
    assert "`--method integrated_gradients` shows what speaks for and against." in told
    assert json.loads(triptych("explain", trained, "--method", "grad_cam", "--json").out)["flat"]
    said = triptych("explain", trained, "--check", "--decisions", 2, "--method", "grad_cam")
    assert (
        "Maps without heat, left out of the check: grad_cam 2 of 2. Nothing can be said of grad_cam: no map was left."
    ) in " ".join(said.out.split())
