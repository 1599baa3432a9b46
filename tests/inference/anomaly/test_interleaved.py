"""Files in order of time, in which entities alternate, are answered like files in order of entities."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.fakes.waves import waves

from triptych.inference.anomaly.baselines import KMeansConfig, KMeansDetector
from triptych.inference.anomaly.stream import DetectorStream
from triptych.inference.anomaly.thresholds import Config

START = 1_700_000_040
MOVING = Config(alarms_per_day=20, window=200)


def by_entity(rows=400):
    parts = []
    for number, name in enumerate(("pump", "fan", "drill")):
        values = waves(rows, seed=number)
        values[200:204] += 9.0 * (number == 1)
        parts.append(
            pl.DataFrame(values, schema=["a", "b", "c"]).with_columns(
                machine=pl.lit(name), time=START + 60 * pl.int_range(rows)
            )
        )
    return pl.concat(parts)


@pytest.fixture(scope="module")
def together():
    frame = by_entity()
    return frame, KMeansDetector(KMeansConfig(length=8)).fit(frame, entity="machine", time="time")


def test_what_is_learnt_and_said_is_the_same_row_for_row(together):
    frame, detector = together
    mixed = frame.sort("time", maintain_order=True)
    alike = KMeansDetector(KMeansConfig(length=8)).fit(mixed, entity="machine", time="time")
    assert alike.threshold_ == detector.threshold_
    order = frame.with_row_index().sort("time", maintain_order=True)["index"].to_numpy()
    np.testing.assert_array_equal(alike.decision_scores_, detector.decision_scores_[order])
    np.testing.assert_array_equal(alike.labels_, detector.labels_[order])
    np.testing.assert_array_equal(detector.decision_function(mixed), detector.decision_function(frame)[order])
    for moving in (None, MOVING):
        said = detector.score_frame(mixed, threshold=moving)
        assert said.equals(detector.score_frame(frame, threshold=moving)[order])
        assert said["time"].equals(mixed["time"])
        assert said["machine"].equals(mixed["machine"])
        assert said["score"].null_count() == 3 * 7
    as_pandas = mixed.to_pandas().set_index(pd.Index([f"row {i}" for i in range(len(mixed))]))
    told = detector.score_frame(as_pandas)
    assert told.index.equals(as_pandas.index)
    np.testing.assert_array_equal(told["score"].isna(), detector.score_frame(mixed)["score"].is_null())


def test_a_stream_of_the_same_rows_in_the_same_order_agrees(together):
    frame, detector = together
    mixed = frame.sort("time", maintain_order=True).head(900)
    stream = DetectorStream(detector, MOVING)
    said = [
        stream.update(row, symbol=row["machine"], time=row["time"]) for row in mixed.iter_rows(named=True)
    ]  # fmt: skip
    table = detector.score_frame(mixed, threshold=MOVING)
    assert [one.alarm for one in said] == table["alarm"].to_list()
    assert table["alarm"].any()
    np.testing.assert_allclose([one.score for one in said], table["score"].fill_null(0.0), rtol=1e-5)


def test_left_out_rows_are_those_of_the_source(together):
    frame, _ = together
    out = (
        (frame["machine"] == "fan").to_numpy()
        & (np.arange(len(frame)) % 400 >= 200)
        & (np.arange(len(frame)) % 400 < 210)
    )
    order = frame.with_row_index().sort("time", maintain_order=True)["index"].to_numpy()
    one = KMeansDetector(KMeansConfig(length=8)).fit(frame, entity="machine", leave_out=out)
    other = KMeansDetector(KMeansConfig(length=8)).fit(frame[order], entity="machine", leave_out=out[order])
    assert one.threshold_ == other.threshold_
