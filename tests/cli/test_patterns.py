import json

import polars as pl
import pytest
from tests.fakes.pattern_networks import saved_chart_network
from tests.features.markets import random_walk

from triptych.domain import utc


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


def test_patterns_of_the_paper_are_listed(run_command, candles):
    said = run_command("patterns", "find", str(candles), "--paper", "--pattern", "broadening_top", "--json")
    rows = json.loads(said.out)
    assert {row["pattern"] for row in rows} == {"broadening_top"}
    assert all(len(row["key_points"]) == 5 for row in rows)
    said = run_command("patterns", "find", str(candles), "--paper", "--pattern", "cup_and_handle")
    assert said.status == 2
    assert "Unknown chart pattern 'cup_and_handle'." in said.err
    assert "broadening_bottom, triangle_top" in said.err


def test_an_unknown_pattern_ends_with_status_2(run_command, candles):
    said = run_command("patterns", "find", str(candles), "--pattern", "diamond")
    assert said.status == 2
    assert "Unknown chart pattern 'diamond'." in said.err


def test_a_folder_without_a_network_ends_with_status_2(run_command, candles, tmp_path):
    said = run_command("patterns", "find", str(candles), "--model", str(tmp_path))
    assert said.status == 2
    assert "holds no network of patterns" in said.err


def test_candle_patterns_are_listed(run_command, candles):
    said = run_command("patterns", "candles", str(candles), "--last", "30")
    assert said.status == 0
    assert "candle patterns in 30 candles of" in said.out
    rows = json.loads(run_command("patterns", "candles", str(candles), "--last", "30", "--json").out)
    assert set(rows[0]) == {"known_at", "pattern", "probability", "quality"}


def test_chart_patterns_by_a_network_are_listed_and_drawn(run_command, candles, tmp_path):
    network = saved_chart_network(tmp_path / "net")
    said = run_command("patterns", "find", candles, "--model", network, "--out", tmp_path / "a.png", "--json")
    rows = json.loads(said.out)
    assert len(rows) > 3
    assert all(row["start"] < row["end"] < row["known_at"] for row in rows)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


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
    card = json.loads((tmp_path / "net" / "card.json").read_text())
    assert card["metrics"]["macro_f1"] == told["macro_f1"]
    assert card["taught"][1] == utc(int(times[1999]))
    assert set(card["learnt"]) == {one["label"] for one in told["scores"] if one["in_training"] >= 100}
