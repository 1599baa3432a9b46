from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.fakes.waves import waves
from tests.inference.anomaly.conftest import fitted

from triptych.domain.errors import DataError
from triptych.inference.anomaly.baselines import BASELINES, KMeansConfig, KMeansDetector
from triptych.inference.anomaly.common_config import CommonConfig
from triptych.inference.anomaly.stream import DetectorStream
from triptych.inference.anomaly.thresholds import Config as ThresholdConfig


def test_catch_row_by_row_says_what_it_says_of_the_batch(catch, rows):
    x = rows[:120].copy()
    x[80:90] += 5
    stream = DetectorStream(catch)
    readings = [stream.update(row) for row in x]
    np.testing.assert_allclose([r.score for r in readings], catch.decision_function(x), rtol=1e-4)
    frame = catch.score_frame(x)
    assert [r.alarm for r in readings] == frame["alarm"].to_list()
    alarms = [i for i, r in enumerate(readings) if r.alarm]
    assert alarms
    assert [readings[i].reasons.split(":")[0] for i in alarms] == [frame["reasons"][i].split(":")[0] for i in alarms]


def test_what_is_kept_of_the_rows_before_changes_no_bit(rows):
    detector = fitted(3, bad_rows="mask")
    x, other = rows[:110].copy(), rows[110:220]
    x[70] = np.nan  # bridged: the row after it begins anew what is kept
    stream = DetectorStream(detector)
    kept = 0
    for i in range(110):
        first = {"a": x[i]} | ({"b": other[i]} if i > 20 else {})
        found = stream.update_many(first)
        rings = [
            stream._histories[symbol].ring for symbol in found if not found[symbol].reasons.startswith(("bad", "warm"))
        ]
        kept += sum(ring.known is not None for ring in rings)
        windows = [ring.window() for ring in rings]
        scores = [found[symbol].score for symbol in found if not found[symbol].reasons.startswith(("bad", "warm"))]
        if windows:
            assert scores == detector.assess(np.stack(windows)).scores.tolist()
    assert kept > 100


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_baselines_too(name):
    detector = BASELINES[name]().fit(waves(600))
    x = waves(60, seed=3)
    stream = DetectorStream(detector)
    np.testing.assert_allclose([stream.update(r).score for r in x], detector.decision_function(x), rtol=1e-5)


@pytest.fixture(scope="module")
def masking():
    return KMeansDetector(KMeansConfig(length=4, bad_rows="mask", bridge=2)).fit(waves(600))


def test_bad_rows_and_gaps_end_as_in_the_batch(masking):
    x = waves(40, seed=3)
    x[[8, 9, 15, 16, 17, 18]] = np.nan
    x[25, 1] = np.inf
    time = np.arange(40.0)
    time[30:] += 5
    stream = DetectorStream(masking, step=1.0)
    readings = [stream.update(row, time=t) for row, t in zip(x, time, strict=True)]
    np.testing.assert_allclose([r.score for r in readings], masking.decision_function(x, time=time), rtol=1e-5)
    assert readings[8].reasons == "bad row: bridged (channel 0 is no number)"
    assert readings[17].reasons == "bad row: starts anew (channel 0 is no number)"
    assert readings[19].reasons == "warming up: 1 of 4 rows"
    assert readings[30].reasons == "warming up: 1 of 4 rows after a gap: its time is 6 steps ahead"


def test_a_row_that_is_sent_again_is_ignored_and_iso_times_are_read(masking):
    rows = waves(40, seed=3)
    once, twice = DetectorStream(masking, step=900.0), DetectorStream(masking, step=900.0)
    for i, row in enumerate(rows):
        time = f"2024-01-01T{i // 4:02d}:{15 * (i % 4):02d}:00"
        assert once.update(row, time=time) == twice.update(row, time=time)
        if i == 20:
            assert twice.update(row, time=time).reasons == "ignored: not later than the row before"
            assert twice.update(row, time="2024-01-01T04:45:00Z").score == 0
    late = once.update(rows[0], time="2024-01-01T11:00:00")
    assert late.reasons.startswith("warming up: 1 of 4 rows after a gap: its time is ")


def test_the_usual_step_is_that_of_the_fit():
    times = pl.datetime_range(datetime(2024, 1, 1), datetime(2024, 1, 7, 5, 45), "15m", eager=True)
    frame = pl.DataFrame(waves(600), schema=list("abc")).with_columns(times.alias("time"))
    detector = KMeansDetector(KMeansConfig(length=4)).fit(frame)
    assert (detector.span_.step, detector.span_.clock) == (900_000.0, "utc")
    stream = DetectorStream(detector)
    stream.update([0.1, 0.2, 0.3], time="2024-02-01T00:00:00")
    reading = stream.update([0.1, 0.2, 0.3], time="2024-02-01T01:00:00")
    assert reading.reasons == "warming up: 1 of 4 rows after a gap: its time is 4 steps ahead"


STAMPS = {
    "datetimes": lambda t: t,
    "zoned": lambda t: t.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=8))),
    "iso": lambda t: t.isoformat(),
    "seconds": lambda t: t.replace(tzinfo=UTC).timestamp(),
    "milliseconds": lambda t: round(1000 * t.replace(tzinfo=UTC).timestamp()),
    "pandas": pd.Timestamp,
}


@pytest.mark.parametrize("fitted_on", ["datetimes", "seconds", "milliseconds", "iso"])
@pytest.mark.parametrize("sent", sorted(STAMPS))
def test_a_hole_is_seen_whatever_the_times_of_fit_and_stream_are_written_as(fitted_on, sent):
    times = [datetime(2024, 1, 1) + timedelta(minutes=15 * i) for i in range(600)]
    detector = KMeansDetector(KMeansConfig(length=4)).fit(waves(600), time=[STAMPS[fitted_on](t) for t in times])
    assert detector.span_.step == 900_000.0
    stream = DetectorStream(detector)
    readings = [stream.update(row, time=STAMPS[sent](t)) for row, t in zip(waves(20), times, strict=False)]
    assert [r.score > 0 for r in readings] == [False] * 3 + [True] * 17
    late = stream.update(waves(1)[0], time=STAMPS[sent](times[35]))
    assert late.reasons.startswith("warming up: 1 of 4 rows after a gap: its time is ")


def test_a_time_of_another_unit_is_a_bad_row_and_can_be_refused_beforehand():
    detector = KMeansDetector(KMeansConfig(length=4)).fit(waves(600), time=np.arange(600) + 1_700_000_000)
    stream = DetectorStream(detector)
    assert stream.update([0, 0, 0], time=17).reasons == ("bad row: starts anew (the time '17' is of another unit)")
    assert stream.update([0, 0, 0], time="soon").reasons == "bad row: starts anew ('soon' is no time)"
    stream.check_time("soon")
    with pytest.raises(DataError) as error:
        stream.check_time(17)
    assert str(error.value) == (
        "The time 17 is of another unit than those of the fit: it reads as a count of their own, such as seconds since "
        "a start, the detector knows times since 1970. Write times as ISO 8601 (2024-01-31T09:30:00), as datetimes, or "
        "as seconds or milliseconds since 1970."
    )


def test_one_row_whose_time_is_garbled_is_bridged_and_the_next_is_not_late():
    detector = KMeansDetector(KMeansConfig(length=4)).fit(waves(600), time=np.arange(600) + 1_700_000_000)
    stream = DetectorStream(detector)
    times = [1_700_001_000, 1_700_001_001, 1_700_001_002, 1_700_001_003, "?", 1_700_001_005]
    readings = [stream.update(row, time=time) for row, time in zip(waves(6), times, strict=True)]
    assert [r.reasons for r in readings[4:]] == ["bad row: bridged ('?' is no time)", ""]


def test_symbols_do_not_mix_and_are_scored_together(masking):
    first, second = waves(30, seed=3), waves(30, seed=4)
    stream = DetectorStream(masking)
    both = [stream.update_many({"A": a, "B": b}) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose([r["A"].score for r in both], masking.decision_function(first), rtol=1e-5)
    np.testing.assert_allclose([r["B"].score for r in both], masking.decision_function(second), rtol=1e-5)


def test_channels_come_by_name_in_any_order(masking):
    names = masking.columns_
    row = waves(1, seed=3)[0]
    by_name = dict(reversed(list(zip(names, row, strict=True))))
    first, second = DetectorStream(masking), DetectorStream(masking)
    for _ in range(5):
        assert first.update(row) == second.update(by_name)


def test_rows_of_frames_come_by_name_too(masking):
    names = list(masking.columns_)
    values = waves(6, seed=3)
    turned = pl.DataFrame(values, schema=names).select(reversed(names)).with_columns(when=pl.lit("noon"))
    pandas, kinds = turned.to_pandas(), [(name, float) for name in reversed(names)]
    forms = {
        "series": lambda i: pandas.iloc[i],
        "one row": lambda i: turned[i],
        "one pandas row": lambda i: pandas.iloc[[i]],
        "named tuple": lambda i: list(turned.rename(lambda n: n.replace(" ", "_")).to_pandas().itertuples())[i],
        "structured": lambda i: np.array([tuple(reversed(values[i]))], dtype=kinds)[0],
        "nameless series": lambda i: pd.Series(values[i]),
        "polars tuple": lambda i: turned.select(names).row(i),
    }
    for form, row in forms.items():
        if form == "named tuple":
            assert DetectorStream(masking).update(row(0)).reasons.endswith("(no channel 'channel 0')")
            continue
        stream, plain = DetectorStream(masking), DetectorStream(masking)
        for i in range(6):
            assert stream.update(row(i)) == plain.update(values[i]), form


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"channel 0": 1.0}, "no channel 'channel 1'"),
        ({"channel 0": 10**400, "channel 1": 1, "channel 2": 1}, "channel 0 is no number"),
        ({"channel 0": 1, "channel 1": "2", "channel 2": 1}, "channel 1 is no number"),
        ({"channel 0": 1, "channel 1": 1, "channel 2": [1]}, "channel 2 is no number"),
        ([1, 2], "2 values of 3 channels"),
        ([1, 2, "x"], "channel 2 is no number"),
        ("abc", "str is no row"),
        (None, "it is no row"),
    ],
)
def test_no_row_ends_the_stream_and_a_bad_one_says_why(masking, row, why):
    assert DetectorStream(masking).update(row).reasons == f"bad row: starts anew ({why})"


def test_one_bad_row_of_several_leaves_the_others_as_they_are(masking):
    stream, alone = DetectorStream(masking), DetectorStream(masking)
    for i, row in enumerate(waves(12, seed=3)):
        found = stream.update_many({"A": row, "B": [1, 2] if i == 6 else row})
        assert found["A"] == alone.update(row)


def test_a_detector_that_looks_ahead_is_refused(fit_one):
    with pytest.raises(DataError) as error:
        DetectorStream(fit_one(placement="centred"))
    assert str(error.value) == (
        'A detector with placement = "centred" looks ahead and cannot follow a stream. Fit it with placement = '
        '"causal".'
    )


def test_an_adaptive_threshold_learns_from_the_stream():
    detector = BASELINES["zscore"](CommonConfig()).fit(waves(900))
    config = ThresholdConfig(method="rolling", alarms_per_day=2, rows_per_day=100, window=300)
    stream = DetectorStream(detector, config)
    readings = [stream.update(row) for row in 3.0 * waves(2000, seed=5)]
    late = readings[1000:]
    assert 0.005 < np.mean([r.alarm for r in late]) < 0.04
    assert np.mean([r.score > detector.threshold_ for r in late]) > 0.2
