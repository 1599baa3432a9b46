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
