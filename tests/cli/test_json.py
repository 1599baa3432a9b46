"""`--json`: exactly one JSON document on stdout, and nothing of the work's progress on either stream."""

import json

import pytest
from tests.fakes.micro import MICRO

from triptych.market import synthetic, to_panel


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "micro.toml").write_text(MICRO)
    return tmp_path / "micro.toml"


@pytest.fixture
def fresh(tmp_path):
    path = tmp_path / "fresh.parquet"
    to_panel(synthetic.synthesise(synthetic.Config(seed=5, n_candles=40, instruments=1)).series).write_parquet(path)
    return path


def document(said):
    assert said.err == ""
    assert said.out.endswith("\n")
    return json.loads(said.out)  # raises when there is anything beside the one document


def test_train(run_command, run_folder, recipe):
    said = run_command("train", recipe, "--out", run_folder, "--json")
    content = document(said)
    assert said.status == 0
    assert content["run"] == str(run_folder)
    assert content["artifact"] == str(run_folder / "folds" / "0" / "artifact")
    assert content["evaluation"] == json.loads((run_folder / "evaluation.json").read_text())


def test_evaluate(run_command, trained):
    assert document(run_command("evaluate", trained, "--json"))["n"] == 131


def test_backtest(run_command, run_folder):
    content = document(run_command("backtest", run_folder, "--set", "strategy.enter=0.4", "--json"))
    assert (content["trials"], content["overrides"]) == (2, ["strategy.enter=0.4"])
    assert content == json.loads((run_folder / "backtest" / "backtest.json").read_text())


def test_report(run_command, run_folder):
    content = document(run_command("report", run_folder, "--json"))
    assert (content["html"], content["json"]) == (str(run_folder / "report.html"), str(run_folder / "report.json"))
    assert content["verdict"]["sentence"]


def test_predict(run_command, trained, fresh, tmp_path):
    rows = document(run_command("predict", trained, "--data", fresh, "--last", 2, "--json"))
    assert [row["time"] for row in rows] == ["2024-01-01 09:45:00", "2024-01-01 10:00:00"]
    said = document(run_command("predict", trained, "--data", fresh, "--out", tmp_path / "p.json", "--json"))
    assert said.pop("note").startswith("The model has learned from candles of this time: all of the 25 predictions, ")
    assert said == {"file": str(tmp_path / "p.json"), "predictions": 25}
    assert json.loads((tmp_path / "p.json").read_text())[-2:] == rows


def test_leak_probe(run_command, recipe):
    content = document(run_command("leak-probe", recipe, "--cuts", 2, "--json"))
    assert content["passed"] is True
    assert len(content["results"]) == 5


def test_errors_leave_stdout_empty(run_command, tmp_path):
    for command in (("evaluate", tmp_path), ("backtest", tmp_path), ("report", tmp_path), ("train", "nope")):
        said = run_command(*command, "--json")
        assert (said.status, said.out) == (2, "")
        assert said.error.startswith("Error: ")
