"""Rows with wrong times: one must neither mute a stream nor cost its window."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from tests.fakes.waves import waves

from triptych.domain.errors import DataError
from triptych.inference.anomaly.baselines import BASELINES, KMeansConfig, KMeansDetector
from triptych.inference.anomaly.course import Course
from triptych.inference.anomaly.stream import DetectorStream

START = 1_700_000_040  # seconds


def fit(**settings):
    config = KMeansConfig(length=4, bad_rows="mask", bridge=3, **settings)
    return KMeansDetector(config).fit(waves(600), time=60 * np.arange(600) + START)


@pytest.fixture(scope="module")
def detector():
    return fit()


def follow(detector, minutes, rows=None):
    said = []
    stream = DetectorStream(detector, tell=said.append)
    rows = waves(len(minutes), seed=3) if rows is None else rows
    times = [START + 60 * minute for minute in minutes]
    return [stream.update(row, time=t) for row, t in zip(rows, times, strict=True)], said, rows, np.array(times)


def test_a_row_ninety_minutes_ahead_is_one_bad_row_and_no_more(detector):
    minutes = [*range(20), 110, *range(21, 60)]
    readings, said, rows, times = follow(detector, minutes)
    assert readings[20].reasons == "warming up: 1 of 4 rows after a gap: its time is 91 steps ahead"
    assert [i for i, one in enumerate(readings) if one.score == 0] == [0, 1, 2, 20]
    assert said == [
        f"Row 21 is a bad one, its time '{START + 110 * 60}' was wrong: it was 91 steps ahead of the row before, and "
        "row 22 goes on from there."
    ]
    frame = detector.score_frame(rows, time=times)
    assert frame["bad"].to_list() == [i == 20 for i in range(60)]
    np.testing.assert_allclose([one.score for one in readings], frame["score"].fill_null(0.0), rtol=1e-5)


@pytest.mark.parametrize("ahead", [2, 5, 90, 100_000])
@pytest.mark.parametrize("extra", [False, True])  # a row too many, or one with a minute of its own
def test_stream_and_table_agree_however_far_ahead_it_is(detector, ahead, extra):
    minutes = [*range(20), 19 + ahead, *range(20 if extra else 21, 40)]
    readings, said, rows, times = follow(detector, minutes)
    if 19 + ahead in range(20, 40):  # its time comes again
        assert len(said) == 1
    frame = detector.score_frame(rows, time=times)
    np.testing.assert_allclose([one.score for one in readings], frame["score"].fill_null(0.0), rtol=1e-5)


def test_a_gap_stays_one(detector):
    minutes = [*range(20), *range(110, 130)]
    readings, said, rows, times = follow(detector, minutes)
    assert said == []
    assert [i for i, one in enumerate(readings) if one.score == 0] == [0, 1, 2, 20, 21, 22]
    np.testing.assert_allclose([one.score for one in readings], detector.decision_function(rows, time=times), rtol=1e-5)


def test_several_wrong_times_and_a_gap_behind_them(detector):
    minutes = [*range(20), 110, 500, *range(22, 40), 90, *range(60, 70)]
    readings, said, rows, times = follow(detector, minutes)
    assert len(said) == 2
    assert said[0].startswith("Row 21 and the 1 behind it are bad ones")
    assert [i for i, one in enumerate(readings) if one.score == 0] == [0, 1, 2, 20, 21, 40, 41, 42, 43]
    frame = detector.score_frame(rows, time=times)
    np.testing.assert_allclose([one.score for one in readings], frame["score"].fill_null(0.0), rtol=1e-5)


def test_a_clock_that_was_ahead_for_two_rows_is_heard_again_from_the_second_row_on(detector):
    readings, _, _, _ = follow(detector, [*range(20), 110, 111, *range(22, 60)])
    assert [one.reasons.startswith("ignored") for one in readings].count(True) == 1
    assert all(one.score > 0 for one in readings[26:])


def test_one_row_behind_is_ignored_and_its_minute_bridged(detector):
    for behind in (5, 500):
        readings, _, _, _ = follow(detector, [*range(20), 20 - behind, *range(21, 40)])
        assert [i for i, one in enumerate(readings) if one.score == 0] == [0, 1, 2, 20]


def test_a_stream_that_begins_from_long_ago_begins_anew(detector):
    readings, said, _, _ = follow(detector, [*range(1000, 1020), *range(20)])
    assert readings[20].reasons == "warming up: 1 of 4 rows after a gap: its time is 1.02e+03 steps behind"
    assert [i for i, one in enumerate(readings) if one.score == 0] == [0, 1, 2, 20, 21, 22]
    assert said == []


def test_rows_that_are_sent_again_are_ignored_and_cost_nothing(detector):
    minutes = [*range(20), *range(10, 20), *range(20, 30)]
    readings, said, _, _ = follow(detector, minutes)
    assert [one.reasons.startswith("ignored") for one in readings] == [20 <= i < 30 for i in range(40)]
    assert all(one.score > 0 for one in readings[30:])
    assert said == []


def test_where_gaps_break_nothing_the_row_is_scored_at_once_and_the_next_is_heard():
    detector = fit(breaks=False)
    readings, said, _, _ = follow(detector, [*range(20), 110, *range(21, 40)])
    assert [i for i, one in enumerate(readings) if one.score == 0] == [0, 1, 2]
    assert len(said) == 1
    overnight, said, _, _ = follow(detector, [*range(20), *range(500, 520)])
    assert [i for i, one in enumerate(overnight) if one.score == 0] == [0, 1, 2]
    assert said == []


def test_a_table_that_refuses_bad_rows_names_the_one_with_the_wrong_time():
    times = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=i) for i in range(600)]
    times[300] += timedelta(minutes=90)
    frame = pl.DataFrame(waves(600), schema=list("abc")).with_columns(pl.Series("time", times))
    with pytest.raises(DataError) as error:
        BASELINES["zscore"]().fit(frame)
    assert str(error.value) == (
        "The time of row 300 is 91 steps ahead of row 299, and row 301 goes on from there: it is wrong. Put it right "
        'or remove the row, or choose bad_rows = "mask" (`triptych anomaly fit --mask`).'
    )


def test_without_a_step_nothing_is_late():
    course = Course()
    for time in (1.0, 100.0, 5.0):
        assert not course.take(time, step=None, memory=4).ahead
    assert course.take(5.0, step=None, memory=4).is_repeated
