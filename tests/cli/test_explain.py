import json


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
