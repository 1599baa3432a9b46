from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.fakes.market import HOUR_MS, series_of, walk

from triptych.domain import CandleSeries, Instrument, Timeframe
from triptych.domain.errors import NotEnoughData
from triptych.features import targets
from triptych.training.splits import Config, split, windows_without_gaps

FIXED = {"threshold": "fixed", "up": 0.005, "down": 0.005}


def prepared(*series, horizon=4, kind="direction"):
    config = targets.Config(kind=kind, horizon=horizon, **FIXED)
    return list(series), [targets.label(s, config) for s in series]


def test_seventy_fifteen_fifteen_by_hand():
    series, labels = prepared(walk(100), horizon=3)
    (fold,) = split(series, labels, Config(minimum_samples=1), length=5)
    # Train: candles 0 to 69, windows from 4 on, labels settled by 69.
    assert fold.train.indices[0].tolist() == list(range(4, 67))
    assert fold.validation.indices[0].tolist() == list(range(74, 82))
    assert fold.test.indices[0].tolist() == list(range(89, 97))
    assert (fold.train.start_ms, fold.train.stop_ms) == (0, 70 * HOUR_MS)
    assert (fold.validation.start_ms, fold.validation.stop_ms) == (70 * HOUR_MS, 85 * HOUR_MS)
    assert (fold.test.start_ms, fold.test.stop_ms) == (85 * HOUR_MS, 100 * HOUR_MS)
    assert [len(segment) for segment in fold.segments] == [63, 8, 8]


def test_the_embargo_comes_on_top_of_the_window():
    series, labels = prepared(walk(100), horizon=3)
    (fold,) = split(series, labels, Config(embargo=2, minimum_samples=1), length=5)
    assert fold.train.indices[0][0] == 4
    assert fold.validation.indices[0].tolist() == list(range(76, 82))
    assert fold.test.indices[0].tolist() == list(range(91, 97))


def test_expanding_folds_begin_at_the_first_candle_and_rolling_ones_keep_their_length():
    series, labels = prepared(walk(400))
    shares = {"kind": "walk_forward", "train": 0.4, "validation": 0.1, "test": 0.5, "folds": 5, "minimum_samples": 1}
    expanding = split(series, labels, Config(**shares), length=4)
    rolling = split(series, labels, Config(**shares, window="rolling"), length=4)
    assert [f.train.start_ms // HOUR_MS for f in expanding] == [0, 0, 0, 0, 0]
    assert [f.train.start_ms // HOUR_MS for f in rolling] == [0, 40, 80, 120, 160]
    for folds in (expanding, rolling):
        assert [f.test.start_ms // HOUR_MS for f in folds] == [200, 240, 280, 320, 360]
        assert [f.number for f in folds] == [0, 1, 2, 3, 4]
    assert [f.validation.start_ms // HOUR_MS for f in expanding] == [160, 192, 224, 256, 288]
    assert [f.validation.start_ms // HOUR_MS for f in rolling] == [160, 200, 240, 280, 320]


def test_a_walk_of_one_fold_is_the_chronological_split():
    series, labels = prepared(walk(300))
    (one,) = split(series, labels, Config(kind="walk_forward", folds=1), length=6)
    (other,) = split(series, labels, Config(), length=6)
    for mine, theirs in zip(one.segments, other.segments, strict=True):
        assert mine.indices[0].tolist() == theirs.indices[0].tolist()


def test_instruments_share_boundaries_and_a_late_listing_has_fewer_samples():
    late = walk(120, symbol="LATE", seed=1, start_ms=180 * HOUR_MS)
    series, labels = prepared(walk(300), late)
    (fold,) = split(series, labels, Config(), length=6)
    assert fold.train.stop_ms == 210 * HOUR_MS
    for segment in fold.segments:
        for one, index in zip(series, segment.indices, strict=True):
            assert (one.open_time_ms[index - 5] >= segment.start_ms).all()
            assert (one.close_time_ms[index + 4] <= segment.stop_ms).all()
    assert [len(i) for i in fold.train.indices] == [201, 21]


def test_triple_barrier_samples_are_not_chosen_by_how_early_they_were_settled():
    series, labels = prepared(walk(200, scale=0.02), horizon=10, kind="triple_barrier")
    (fold,) = split(series, labels, Config(minimum_samples=1), length=5)
    assert fold.train.indices[0][-1] == 140 - 10 - 1
    early = labels[0].end[130:139]
    assert (early[early >= 0] < 140).any()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_nothing_of_training_reaches_into_later_segments(data):
    draw = data.draw
    kind = draw(st.sampled_from(["chronological", "walk_forward"]))
    length, horizon, embargo = draw(st.integers(1, 12)), draw(st.integers(1, 12)), draw(st.integers(0, 6))
    series = []
    for i in range(draw(st.integers(1, 3))):
        n = draw(st.integers(150, 400))
        step = draw(st.sampled_from([0, 3]))
        times = np.cumsum(1 + (np.arange(n) % 7 == 6) * step) * HOUR_MS + draw(st.integers(0, 100)) * HOUR_MS
        series.append(series_of(walk(n, seed=i).values, symbol=f"S{i}", open_time_ms=times))
    config = Config(
        kind=kind, train=0.5, validation=0.2, test=0.3, folds=draw(st.integers(1, 4)), embargo=embargo,
        window=draw(st.sampled_from(["expanding", "rolling"])), minimum_samples=1,
    )  # fmt: skip
    series, labels = prepared(*series, horizon=horizon, kind=draw(st.sampled_from(["direction", "triple_barrier"])))
    try:
        folds = split(series, labels, config, length=length)
    except NotEnoughData:
        reject()
    for fold in folds:
        assert fold.train.start_ms < fold.train.stop_ms == fold.validation.start_ms
        assert fold.validation.stop_ms == fold.test.start_ms < fold.test.stop_ms
        for before, after in ((fold.train, fold.validation), (fold.train, fold.test), (fold.validation, fold.test)):
            rows = list(zip(series, labels, before.indices, strict=True))
            settled = max(int(s.close_time_ms[t.latest_end[i]].max(initial=0)) for s, t, i in rows)
            for s, index in zip(series, after.indices, strict=True):
                if len(index):
                    assert s.open_time_ms[index.min() - length + 1] >= settled
        for segment in fold.segments:
            for s, t, index in zip(series, labels, segment.indices, strict=True):
                assert (np.diff(index) > 0).all()
                assert (t.classes[index] >= 0).all()
                assert (s.open_time_ms[index - length + 1] >= segment.start_ms).all()
                assert (s.close_time_ms[t.end[index]] <= segment.stop_ms).all()
    for one, next_one in pairwise(folds):
        assert one.test.stop_ms == next_one.test.start_ms
    assert folds[-1].test.stop_ms == max(int(s.close_time_ms[-1]) for s in series)


def test_too_little_data_names_the_segment_its_numbers_and_the_remedy():
    series, labels = prepared(walk(100), horizon=10)
    with pytest.raises(NotEnoughData) as error:
        split(series, labels, Config(), length=5)
    assert str(error.value) == (
        "The validation segment of fold 0 (1970-01-03 22:00:00 to 1970-01-04 13:00:00 UTC) holds 1 samples in 15 "
        "candles of 1 instrument(s), at least 20 are needed: per instrument a window of 5, a horizon of 10 and an "
        "embargo of 0 candles are left out. "
        "Bring more candles, shorten the window or the horizon, or ask for fewer folds."
    )


@pytest.mark.parametrize("n", [0, 1, 3])
def test_hardly_any_candles_cannot_be_cut_at_all(n):
    series, labels = prepared(walk(n))
    with pytest.raises(NotEnoughData) as error:
        split(series, labels, Config(), length=5)
    assert str(error.value) == (
        f"{n} candles cannot be cut into 1 fold(s) of train, validation and test. "
        "Bring more candles or ask for fewer folds."
    )


def test_shares_must_sum_to_one():
    with pytest.raises(ValidationError, match=r"train \+ validation \+ test must be 1, was 0\.9"):
        Config(train=0.6)


def test_windows_across_a_wide_gap_are_left_out():
    times = np.array([0, 1, 2, 3, 6, 7, 8, 10, 11, 12]) * HOUR_MS  # two candles missing after 3, one after 7
    series = series_of(walk(10).values, open_time_ms=times)
    assert np.flatnonzero(windows_without_gaps(series, 3, "none")).tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    assert np.flatnonzero(windows_without_gaps(series, 3, 1)).tolist() == [2, 3, 6, 7, 8, 9]
    assert np.flatnonzero(windows_without_gaps(series, 3, 0)).tolist() == [2, 3, 6, 9]
    assert not windows_without_gaps(series, 11, 0).any()


def nights(days, *, without=()):
    """Hours 9 to 15 of weekdays, all but those named by their number."""
    opens = [(d * 24 + hour) * HOUR_MS for d in range(4, 4 + days) if d % 7 not in (2, 3) for hour in range(9, 16)]
    return np.delete(np.array(opens), list(without))


def test_by_the_calendar_nights_and_weekends_are_no_holes_and_missing_candles_are():
    whole = series_of(walk(7 * 40).values, open_time_ms=nights(56))
    assert windows_without_gaps(whole, 10, "calendar").sum() == len(whole) - 9
    holed = series_of(walk(7 * 40 - 2).values, open_time_ms=nights(56, without=(143, 144)))
    out = np.flatnonzero(~windows_without_gaps(holed, 10, "calendar"))
    assert out.tolist() == [*range(9), *range(143, 152)]


def test_gaps_are_judged_by_the_window_alone():
    times = np.cumsum(np.where(np.arange(60) % 9 == 0, 4, 1)) * HOUR_MS
    series = series_of(walk(60).values, open_time_ms=times)
    whole, cut = windows_without_gaps(series, 5, 1), windows_without_gaps(series.head(40), 5, 1)
    assert whole[:40].tolist() == cut.tolist()


def test_the_split_leaves_out_windows_across_gaps():
    times = np.arange(200) * HOUR_MS + (np.arange(200) >= 50) * 10 * HOUR_MS
    series, labels = prepared(series_of(walk(200).values, open_time_ms=times))
    (fold,) = split(series, labels, Config(exclude_gaps=2, minimum_samples=1), length=8)
    assert not set(range(50, 57)) & set(fold.train.indices[0].tolist())
    assert {49, 57} <= set(fold.train.indices[0].tolist())


def test_a_price_that_never_moves_is_named_as_the_cause():
    n = 400
    flat = CandleSeries(
        instrument=Instrument(symbol="FLAT"),
        timeframe=Timeframe.parse("1h"),
        open_time_ms=np.arange(n, dtype=np.int64) * 3_600_000,
        values=np.full((n, 5), 7.0),
    )
    with pytest.raises(NotEnoughData) as caught:
        split([flat], [targets.label(flat, targets.Config())], Config(), length=16)
    assert caught.value.message == (
        "No candle of FLAT has a label: the price never moves, so there is no volatility to scale the thresholds by, "
        "or no horizon fits into the history."
    )
