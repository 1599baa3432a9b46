import json

import polars as pl
import pytest
from tests.inference.test_regimes import series


@pytest.fixture
def candles(tmp_path):
    one = series(2400)
    frame = pl.DataFrame(one.values, schema=["open", "high", "low", "close", "volume"])
    frame.with_columns(pl.Series("timestamp", one.open_time_ms)).write_csv(tmp_path / "made_15m.csv")
    return str(tmp_path / "made_15m.csv")


def test_alarms_of_a_file_are_listed_with_what_the_regimes_are_worth(run_command, candles):
    said = run_command("regimes", "alarms", candles)
    assert said.status == 0
    assert "alarms in 960 candles" in said.out
    assert "its rule holds for" in said.out


@pytest.mark.parametrize("method", ["filter", "cusum"])
def test_alarms_as_json_name_a_regime_and_a_close_of_the_later_part(run_command, candles, method):
    told = json.loads(run_command("regimes", "alarms", candles, "--method", method, "--json").out)
    assert told["notes"] == []
    assert len(told["alarms"]) >= 2
    times = [row["time"] for row in told["alarms"]]
    assert times == sorted(times)
    assert {row["regime"] for row in told["alarms"]} <= set(told["agreement"])


def test_a_higher_threshold_raises_no_more_alarms(run_command, candles):
    counts = [
        len(json.loads(run_command("regimes", "alarms", candles, "--threshold", least, "--json").out)["alarms"])
        for least in ("0.5", "0.9")
    ]
    assert counts[0] > counts[1]
