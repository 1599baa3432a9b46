import json
import re

import polars as pl
import pytest

from triptych import bootstrap
from triptych.bootstrap import open_run
from triptych.bootstrap.files import read_json
from triptych.domain.errors import RunError


def twin(folder) -> dict:
    return json.loads((folder / "report.json").read_text())


def test_the_report_is_one_file_that_needs_no_other(trained):
    html = (trained / "report.html").read_text()
    assert html.count("<html") == 1
    assert not re.findall(r"""<link|<(?:script|img|iframe)[^>]*\ssrc=["'](?!data:)""", html)
    assert read_json(trained / "backtest" / "backtest.json")["verdict"]["sentence"] in html


def test_the_twin_says_what_the_run_says(trained):
    said, judged = twin(trained), read_json(trained / "backtest" / "backtest.json")
    assert said["verdict"]["sentence"] == judged["verdict"]["sentence"]
    assert said["provenance"]["trials"] == 1
    assert said["provenance"]["fingerprint"] == open_run(trained).record["fingerprint"]
    assert said["leak_probe"]["passed"] is True
    assert said["evaluation"]["n"] == 131
    assert [row["fold"] for row in said["training_curves"]] == [1, 1, 1]
    assert said["description"] == (
        "efficientnet_b0 on gasf images of 16 candles; ALFA-USDT 15m, 2024-01-01 00:00:00 to 2024-01-11 10:00:00 UTC."
    )
    assert len(said["samples"]) == 12
    assert said["equity"]["rows"] == len(pl.read_parquet(trained / "predictions.parquet"))


def test_times_and_places_stand_under_environment_only(trained):
    said = twin(trained)
    assert set(said["environment"]) == {"started", "machine", "folder", "data"}
    del said["environment"]
    assert str(trained.parent) not in json.dumps(said)


def test_written_again_it_is_the_same(run_folder):
    first = twin(run_folder)
    written = bootstrap.report(open_run(run_folder))
    assert (written.html, written.json) == (run_folder / "report.html", run_folder / "report.json")
    again = twin(run_folder)
    assert again.pop("environment")["folder"] == str(run_folder)
    first.pop("environment")
    assert again == first
    assert written.verdict["sentence"] == again["verdict"]["sentence"]


def test_what_is_missing_is_made_first(run_folder):
    for name in ("backtest/backtest.json", "leak_probe.json", "report.html", "report.json"):
        (run_folder / name).unlink()
    told: list[str] = []
    bootstrap.report(open_run(run_folder), tell=told.append)
    assert told == ["Replaying 135 predictions with costs.", "Probing ALFA-USDT at 6 cuts.", "Writing the report."]
    assert (run_folder / "report.html").exists()


def test_after_a_backtest_with_changes_the_report_shows_the_changed_recipe(run_folder):
    run = open_run(run_folder)
    bootstrap.backtest(run, overrides=["backtest.initial_capital=500", "strategy.enter=0.4"])
    bootstrap.report(run)
    said = twin(run_folder)
    assert said["initial_capital"] == 500
    assert "enter = 0.4\n" in said["recipe"]
    assert said["provenance"]["overrides"] == ["backtest.initial_capital=500", "strategy.enter=0.4"]
    assert said["provenance"]["trials"] == 2


def test_a_backtest_that_was_stopped_between_its_files_leaves_the_old_one_whole(run_folder, monkeypatch):
    """Frames of one backtest must never stand beside the figures of another."""
    import triptych.bootstrap.backtesting as backtesting

    run = open_run(run_folder)
    before = {path.name: path.read_bytes() for path in (run_folder / "backtest").iterdir()}
    write = backtesting.write_frame

    def dying(path, frame):
        if path.stem == "fills":
            raise KeyboardInterrupt
        return write(path, frame)

    monkeypatch.setattr(backtesting, "write_frame", dying)
    with pytest.raises(KeyboardInterrupt):
        bootstrap.backtest(run, overrides=["costs.taker_fee=0.01"])
    assert {path.name: path.read_bytes() for path in (run_folder / "backtest").iterdir()} == before
    assert not list(run_folder.glob(".*"))


def test_a_report_of_a_run_whose_training_is_gone_says_what_to_do(run_folder):
    (run_folder / "folds" / "0" / "training" / "weights.safetensors").write_bytes(b"x")
    with pytest.raises(RunError, match=r"The finished training in .* is damaged"):
        bootstrap.report(open_run(run_folder))
