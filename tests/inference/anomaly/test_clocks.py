import numpy as np
import polars as pl
import pytest

from triptych.domain.errors import ColumnError
from triptych.inference.anomaly.baselines import ZScoreDetector
from triptych.inference.anomaly.time_columns import time_column

N = 700
RNG = np.random.default_rng(4)
NOISE = RNG.standard_normal((N, 2))
MINUTES = 1_700_000_000 + 60 * np.arange(N)


def rows(**more):
    return pl.DataFrame({**more, "a": NOISE[:, 0], "b": NOISE[:, 1]})


@pytest.mark.parametrize(
    "name", ["open_time", "Open Time", "ts", "close_time", "unix", "trade_date", "created_at", "t"]
)
def test_a_column_of_times_is_no_channel_whatever_exchanges_call_it(name):
    detector = ZScoreDetector().fit(rows(**{name: MINUTES}))
    assert (detector.columns_, detector.time_, detector.span_.step) == (("a", "b"), name, 60_000.0)


def test_the_surest_name_is_the_time_and_numbers_under_a_doubtful_one_are_channels():
    frame = rows(close_time=MINUTES + 59, open_time=MINUTES)
    assert time_column(frame) == "open_time"
    assert time_column(frame, {"open_time"}) == "close_time"
    assert time_column(rows(t=20 + NOISE[:, 0], hour=np.arange(N) % 24)) is None
    assert time_column(rows(hour=np.arange(N), time=np.arange(N))) == "time"


@pytest.mark.parametrize(
    "column",
    [
        np.arange(N), 5000 - 2.0 * np.arange(N), MINUTES, MINUTES + np.cumsum(RNG.random(N)),
        1_700_000_000 + np.cumsum(RNG.exponential(60, N)), np.arange(N) + (np.arange(N) > 400) * 1000,
        np.arange(N) - (np.arange(N) >= 300), MINUTES - 60 * (np.arange(N) >= 300), np.arange(N) % 400,
    ],
    ids=["row", "countdown", "epoch", "nearly steady", "times of events", "with a gap", "one twice", "a time twice",
         "begins anew"],
)  # fmt: skip
def test_a_clock_or_a_number_of_rows_is_refused_as_a_channel(column):
    with pytest.raises(
        ColumnError, match=r"Column 'seq' rises or falls from row to row, .* leave it out \(--drop 'seq'"
    ):
        ZScoreDetector().fit(rows(seq=column))
    assert ZScoreDetector(counters=("seq",)).fit(rows(seq=column)).columns_ == ("seq", "a", "b")


def test_an_id_that_begins_anew_with_each_entity_is_refused_too():
    frame = rows(seq=np.arange(N) % 350, who=["m1"] * 350 + ["m2"] * 350)
    with pytest.raises(ColumnError, match="Column 'seq' rises or falls from row to row, by 1 on the median"):
        ZScoreDetector().fit(frame, entity="who")


def test_channels_that_rise_unsteadily_or_not_always_are_channels():
    energy, drift = np.cumsum(RNG.exponential(1.0, N)), np.arange(N) + RNG.standard_normal(N)
    assert ZScoreDetector().fit(rows(energy=energy, drift=drift)).columns_ == ("energy", "drift", "a", "b")
