"""What a stream says of rows and what a table says of them: one threshold, one reach, one day."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from tests.fakes.waves import waves

from triptych.inference.anomaly.baselines import BASELINES
from triptych.inference.anomaly.common_config import CommonConfig
from triptych.inference.anomaly.reach import SURE
from triptych.inference.anomaly.saving import load_detector, save_detector
from triptych.inference.anomaly.stream import DetectorStream
from triptych.inference.anomaly.thresholds import Config

METHODS = ("fixed", "rolling", "conformal", "spot")


def wild(n, seed):
    """Rows with heavy tails and events at the bound."""
    generator = np.random.default_rng(seed)
    rows = generator.standard_t(2.0, size=(n, 3))
    for start in generator.integers(0, n - 5, size=n // 100):
        rows[start : start + 3] = 1e6 * generator.choice([-1, 1], size=(3, 3))
    return rows


@pytest.fixture(scope="module")
def simple():
    return BASELINES["zscore"](CommonConfig()).fit(np.random.default_rng(0).standard_t(2.0, size=(3000, 3)))


@pytest.mark.parametrize("method", METHODS)
def test_a_stream_has_the_limits_of_the_table_to_the_last_bit(simple, method):
    rows = wild(1500, 3)
    config = Config(method=method, alarms_per_day=0.001 * 1440, rows_per_day=1440)
    stream = DetectorStream(simple, config)
    readings = [stream.update(row) for row in rows]
    frame = simple.score_frame(rows, threshold=config)
    assert [one.score for one in readings] == frame["score"].fill_null(0.0).to_list()
    assert [one.threshold for one in readings] == frame["threshold"].to_list()
    assert [one.alarm for one in readings] == frame["alarm"].to_list()
    assert max(one.threshold for one in readings) <= SURE * simple.reach_


@pytest.fixture(scope="module")
def detectors(silent_catch):
    found = {name: BASELINES[name]().fit(waves(2500)) for name in BASELINES}
    return found | {"catch": silent_catch(waves(3000))}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [*sorted(BASELINES), "catch"])
def test_gross_rows_alarm_whatever_the_threshold_also_after_many_events(detectors, name, method):
    detector = detectors[name]
    generator = np.random.default_rng(5)
    rows = waves(1200, seed=5)
    for start in range(150, 1000, 25):  # events that a remembering threshold takes in
        rows[start : start + 6] = 1e6 * generator.choice([-1, 1], size=(6, 3))
    gross = [*range(1040, 1200, 20)]
    rows[gross] = 1e6 * generator.choice([-1, 1], size=(len(gross), 3))
    config = Config(method=method, alarms_per_day=0.5, rows_per_day=1440, window=300)
    alarms = detector.score_frame(rows, threshold=config)["alarm"].to_numpy()
    assert alarms[gross].all()


def timed(times):
    rows = np.random.default_rng(0).standard_normal((len(times), 2))
    frame = pl.DataFrame(rows, schema=["a", "b"]).with_columns(pl.Series("time", times))
    return BASELINES["zscore"](CommonConfig(breaks=False)).fit(frame)


def every(minutes, n):
    return [datetime(2024, 1, 1) + timedelta(minutes=minutes * i) for i in range(n)]


TRADED = [
    datetime(2024, 1, 1) + timedelta(days=day, minutes=570 + 15 * i)
    for day in range(60)
    if (datetime(2024, 1, 1) + timedelta(days=day)).weekday() < 5
    for i in range(16)
]
DAYS = {
    "minutes": (every(1, 4000), 1440.0),
    "a part of a day": (every(1, 700), 1440.0),
    "hours": (every(60, 700), 24.0),
    "sessions of 16 quarters": (TRADED, 16.0),
    "days of trading": ([datetime(2022, 1, 1) + timedelta(days=d) for d in range(700) if d % 7 < 5], 1.0),
    "weeks": ([datetime(2010, 1, 1) + timedelta(days=7 * w) for w in range(600)], 1 / 7),
    "counts": (list(range(700)), None),
}


@pytest.mark.parametrize("kind", sorted(DAYS))
def test_a_day_has_as_many_rows_as_the_times_of_the_fit_say(kind, tmp_path):
    times, rows = DAYS[kind]
    detector = timed(times)
    assert detector.rows_per_day == (None if rows is None else pytest.approx(rows))
    save_detector(tmp_path / "detector", detector)
    loaded = load_detector(tmp_path / "detector")
    assert loaded.rows_per_day == detector.rows_per_day
    stream = DetectorStream(loaded, Config(alarms_per_day=0.5))
    assert stream.threshold.day == (96.0 if rows is None else pytest.approx(rows))
    assert DetectorStream(loaded, Config(rows_per_day=7)).threshold.day == 7


def test_another_step_of_the_stream_makes_other_days():
    detector = timed(every(1, 4000))
    assert DetectorStream(detector, Config(), step=300.0).threshold.day == 288.0
    no_times = BASELINES["zscore"](CommonConfig()).fit(waves(600))
    assert DetectorStream(no_times, Config(), step=300.0).threshold.day == 288.0


def test_one_alarm_a_day_was_asked_of_rows_a_minute_and_about_one_comes():
    detector = timed(every(1, 6000))
    rows = pl.DataFrame(np.random.default_rng(9).standard_normal((20 * 1440, 2)), schema=["a", "b"])
    alarms = detector.score_frame(rows, threshold=Config(alarms_per_day=1.0))["alarm"].sum()
    assert 8 <= alarms <= 32
