import json

import polars as pl
import pytest
from tests.inference.test_regimes import series

from triptych.bootstrap import alarm_thresholds


@pytest.fixture(autouse=True)
def _fewer_rows(monkeypatch):
    monkeypatch.setattr(alarm_thresholds, "ROWS", 6_000)


@pytest.fixture
def candles(tmp_path):
    one = series(2400)
    frame = pl.DataFrame(one.values, schema=["open", "high", "low", "close", "volume"])
    frame.with_columns(pl.Series("timestamp", one.open_time_ms)).write_csv(tmp_path / "made_15m.csv")
    return str(tmp_path / "made_15m.csv")


def test_alarms_of_a_file_are_listed_with_what_the_regimes_are_worth(run_command, candles):
    said = run_command("regimes", "alarms", candles)
    assert said.status == 0
    assert "alarms by switches in 960 candles" in said.out
    assert "in random order, it raises" in said.out
    assert "its rule holds 12 candles later for" in said.out


@pytest.mark.parametrize("method", ["switches", "filter", "cusum"])
def test_alarms_as_json_name_a_regime_and_a_close_of_the_later_part(run_command, candles, method):
    told = json.loads(
        run_command("regimes", "alarms", candles, "--method", method, "--false-alarms", "20", "--json").out
    )
    assert told["notes"] == []
    assert told["method"] == method
    assert told["false_alarms_asked_in_1000"] == 20
    assert told["alarms_in_1000_shuffled"] <= 20
    low, high = told["alarms_in_1000_shuffled_interval"]
    assert 0 <= low <= told["alarms_in_1000_shuffled"] <= high
    assert len(told["alarms"]) >= (1 if method == "switches" else 2)  # one switch of volatility lies there
    times = [row["time"] for row in told["alarms"]]
    assert times == sorted(times)
    assert min(times) > told["judged_from"]
    assert {row["regime"] for row in told["alarms"]} <= set(told["agreement"])


def test_a_higher_threshold_raises_no_more_alarms(run_command, candles):
    counts = [
        len(
            json.loads(
                run_command("regimes", "alarms", candles, "--method", "filter", "--threshold", least, "--json").out
            )["alarms"]
        )
        for least in ("0.5", "0.9")
    ]
    assert counts[0] > counts[1]


def test_alarms_are_written_and_drawn(run_command, candles, tmp_path):
    table, picture = tmp_path / "alarms.csv", tmp_path / "alarms.png"
    said = run_command(
        "regimes", "alarms", candles, "--method", "filter", "--threshold", "0.5", "--out", table, "--picture", picture
    )
    assert f"Written: {table}" in said.out
    written = pl.read_csv(table)
    assert written.columns == [
        "time", "close", "value", "regime", "symbol", "method", "threshold", "false_alarms_asked_in_1000",
    ]  # fmt: skip
    assert written["threshold"].unique().to_list() == [0.5]
    assert (written["value"] >= 0.5).all()
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert run_command("regimes", "alarms", candles, "--out", tmp_path / "alarms.json").status == 0
    assert json.loads((tmp_path / "alarms.json").read_text())["method"] == "switches"


def test_a_file_has_no_siamese_network_and_alarms_no_other_ending(run_command, candles, tmp_path):
    said = run_command("regimes", "alarms", candles, "--method", "likeness")
    assert said.status == 2
    assert "Likeness is told by a siamese network, and a file of candles has none." in said.error
    said = run_command("regimes", "alarms", candles, "--out", tmp_path / "alarms.txt")
    assert said.status == 2
    assert "Choose a name ending in .csv or .json." in said.error


def test_the_regimes_of_a_close_are_shown_with_what_follows_them(run_command, candles, tmp_path):
    picture = tmp_path / "regimes.png"
    said = run_command("regimes", "show", candles, "--last", "60", "--horizon", "8", "--picture", picture)
    assert said.status == 0
    assert "next candle" in said.out
    assert "Probability of the column's regime one candle after the row's" in said.out
    assert picture.read_bytes().startswith(b"\x89PNG")
    told = json.loads(run_command("regimes", "show", candles, "--last", "60", "--horizon", "8", "--json").out)
    assert len(told["last"]) == 60
    assert told["last"][-1]["time"] == told["time"]
    assert {name: told["last"][-1][name] for name in told["now"]} == told["now"]
    row = told["transition"]["bull"]
    assert sum(row.values()) == pytest.approx(1.0)
    assert told["expected_candles"]["bull"] == pytest.approx(1.0 / (1.0 - row["bull"]))
    assert told["expected_hours"]["bull"] == pytest.approx(told["expected_candles"]["bull"] / 4)
    assert told["next"]["bull"] == pytest.approx(
        sum(told["now"][a] * told["transition"][a]["bull"] for a in told["now"])
    )
    assert sum(told["after_horizon"].values()) == pytest.approx(1.0)
    assert told["learned_from_it"] is False


def test_the_regimes_of_an_earlier_close_are_those_told_then(run_command, candles):
    whole = json.loads(run_command("regimes", "show", candles, "--last", "60", "--json").out)
    then = whole["last"][20]
    told = json.loads(run_command("regimes", "show", candles, "--at", then["time"], "--last", "1", "--json").out)
    assert told["last"] == [pytest.approx(then)]


def test_a_regime_without_volume_to_tell_it_from_has_no_duration(run_command, tmp_path):
    one = series(1600)
    frame = pl.DataFrame(one.values, schema=["open", "high", "low", "close", "volume"])
    frame = frame.with_columns(pl.Series("timestamp", one.open_time_ms), volume=pl.lit(0.0))
    frame.write_csv(tmp_path / "still_15m.csv")
    told = json.loads(run_command("regimes", "show", tmp_path / "still_15m.csv", "--json").out)
    assert told["expected_candles"]["low_liquidity"] is None
    assert told["now"]["low_liquidity"] is None
    assert "low_liquidity" not in told["transition"]
    assert "The regime low_liquidity is left out" in told["notes"][0]


def test_too_short_a_history_is_told_what_it_takes(run_command, tmp_path):
    one = series(300)
    frame = pl.DataFrame(one.values, schema=["open", "high", "low", "close", "volume"])
    frame.with_columns(pl.Series("timestamp", one.open_time_ms)).write_csv(tmp_path / "short_15m.csv")
    said = run_command("regimes", "show", tmp_path / "short_15m.csv")
    assert said.status == 2
    assert "of which the first 180 are fitted on, are too few: it takes 290 at least." in said.error
    assert "Bring at least 484 candles" in said.error
