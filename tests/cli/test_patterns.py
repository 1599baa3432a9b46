import json

import polars as pl
import pytest
from tests.features.markets import random_walk


@pytest.fixture
def candles(tmp_path):
    values, times = random_walk(300, seed=1)
    path = tmp_path / "walk_15m.csv"
    frame = pl.DataFrame(values, schema=["open", "high", "low", "close", "volume"])
    frame.with_columns(pl.Series("timestamp", times)).write_csv(path)
    return path


def test_patterns_of_a_file_are_listed_and_drawn(run_command, candles, tmp_path):
    said = run_command("patterns", "find", str(candles), "--out", str(tmp_path / "a.png"))
    assert said.status == 0
    assert "chart patterns in 300 candles" in said.out
    assert (tmp_path / "a.png").exists()


def test_patterns_as_json(run_command, candles):
    said = run_command("patterns", "find", str(candles), "--json", "--last", "200")
    rows = json.loads(said.out)
    assert rows
    assert all(row["start"] < row["end"] < row["known_at"] for row in rows)


def test_an_unknown_pattern_ends_with_status_2(run_command, candles):
    said = run_command("patterns", "find", str(candles), "--pattern", "diamond")
    assert said.status == 2
    assert "Unknown chart pattern 'diamond'." in said.err


def test_a_folder_without_a_network_ends_with_status_2(run_command, candles, tmp_path):
    said = run_command("patterns", "find", str(candles), "--model", str(tmp_path))
    assert said.status == 2
    assert "holds no network of patterns" in said.err


def test_a_network_of_candle_patterns_is_trained_and_judged(run_command, tmp_path):
    values, times = random_walk(2500, seed=1)
    frame = pl.DataFrame(values, schema=["open", "high", "low", "close", "volume"])
    frame.with_columns(pl.Series("timestamp", times)).write_csv(tmp_path / "walk_15m.csv")
    (tmp_path / "r.toml").write_text("width = 16\nleast_examples = 100\n[training]\nepochs = 1\n")
    said = run_command(
        *("patterns", "train-candles", str(tmp_path / "walk_15m.csv"), "--out", str(tmp_path / "net")),
        *("--recipe", str(tmp_path / "r.toml"), "--quiet", "--json"),
    )
    assert said.status == 0
    told = json.loads(said.out)
    assert len(told["scores"]) == 122
    assert told["interval"][0] <= told["macro_f1"] <= told["interval"][1]
    assert json.loads((tmp_path / "net" / "card.json").read_text())["macro_f1"] == told["macro_f1"]
