import json

import polars as pl
import pytest
from tests.fakes.micro import micro_recipe
from tests.fakes.waves import TINY

from triptych import bootstrap
from triptych.bootstrap import create_detector, load_candles, open_run
from triptych.bootstrap.guarding import open_watch, recorded_watch
from triptych.domain import Timeframe
from triptych.domain.errors import ArtifactError
from triptych.features.channels import market_channels
from triptych.inference.anomaly.saving import save_detector
from triptych.trading.guard import Config


@pytest.fixture
def detector(run_folder, tmp_path):
    """The folder of a detector that was fitted on the candles of a run."""
    made = market_channels(load_candles(open_run(run_folder).recipe).series)
    fitted = create_detector("catch", network=TINY, focus=8, training={"epochs": 1, "num_threads": 1})
    fitted.fit(pl.DataFrame(made.values, schema=list(made.columns)))
    save_detector(tmp_path / "detector", fitted)
    return tmp_path / "detector"


def test_a_backtest_is_guarded_by_an_override_and_tells_every_act(run_folder, detector):
    run = open_run(run_folder)
    before = bootstrap.backtest(run)
    assert pl.read_parquet(run_folder / "backtest" / "guard.parquet").height == 0
    overrides = [f"guard.detector={detector}", "guard.policy=flatten", "guard.false_alarms=0.5", "guard.calm=2"]
    with pytest.warns(UserWarning, match="does not say when the rows of its fit were"):
        after = bootstrap.backtest(run, overrides=overrides)
    assert after["trials"] == before["trials"] + 1
    acts = pl.read_parquet(run_folder / "backtest" / "guard.parquet")
    assert set(acts["action"]) == {"flatten", "release"}
    decisions = pl.read_parquet(run_folder / "backtest" / "decisions.parquet")
    first = acts.row(0, named=True)
    at = decisions.filter((pl.col("time") == first["time"]) & (pl.col("symbol") == first["symbol"]))
    assert at["target"].to_list() == [0.0]
    assert at["reason"].to_list() == [f"flat: guard: {first['reason']}"]
    assert first["score"] > first["threshold"]


def test_a_guard_that_has_seen_the_test_period_is_refused(run_folder, detector):
    card = json.loads((detector / "card.json").read_text())
    (detector / "card.json").write_text(json.dumps(card | {"last_time": "2100-01-01T00:00:00Z"}))
    with pytest.raises(ArtifactError, match=r"was fitted on rows until 2100-01-01 00:00, after the start of the test"):
        bootstrap.backtest(open_run(run_folder), overrides=[f"guard.detector={detector}"])


def test_a_policy_without_a_detector_is_warned_of(tmp_path):
    with pytest.warns(UserWarning, match=r'guard\.policy = "flatten" does nothing without guard\.detector'):
        assert recorded_watch(micro_recipe(tmp_path, "guard.policy=flatten"), []) is None


def test_without_a_detector_nothing_watches(tmp_path):
    assert open_watch(Config(), Timeframe.parse("15m")) is None
    assert recorded_watch(micro_recipe(tmp_path), []) is None


def test_a_detector_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"is no detector: card\.json is missing"):
        open_watch(Config(detector=str(tmp_path / "none")), Timeframe.parse("15m"))


def test_a_detector_of_other_candles_is_refused(run_folder, detector):
    card = json.loads((detector / "card.json").read_text())
    known = card | {
        "first": 1.6e9, "last": 1.7e9, "step": 3600.0, "first_time": "2020-09-13T12:26:40Z",
        "last_time": "2023-11-14T22:13:20Z",
    }  # fmt: skip
    (detector / "card.json").write_text(json.dumps(known))
    with pytest.raises(ArtifactError) as error:
        open_watch(Config(detector=str(detector)), Timeframe.parse("15m"))
    assert str(error.value) == (
        f"The detector {detector} was fitted on rows that are 1:00:00 apart; the guarded session has candles of 15m. "
        "Fit one on market channels of candles of 15m."
    )
    assert open_watch(Config(detector=str(detector)), Timeframe.parse("1h")) is not None
    in_ms = {"first": 1.6e12, "last": 1.7e12, "step": 3.6e6}
    (detector / "card.json").write_text(json.dumps(known | in_ms))
    assert open_watch(Config(detector=str(detector)), Timeframe.parse("1h")) is not None
