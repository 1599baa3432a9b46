from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.candles import make_series

from triptych.domain.errors import CandleError, DataError
from triptych.market import read_candles, resample, resample_counted

MINUTE_MS = 60_000
MONDAY_MS = 1_672_617_600_000  # 2023-01-02 00:00 UTC


def _minutes(rows, first=MONDAY_MS):
    return first + MINUTE_MS * np.asarray(rows)


def test_a_coarse_candle_is_first_highest_lowest_last_and_sum():
    values = [
        [10, 12, 9, 11, 1],
        [11, 15, 10, 12, 2],
        [12, 13, 7, 8, 4],
        [8, 9, 8, 9, 8],
        [9, 9, 9, 9, 16],
        [9, 10, 9, 10, 32],
    ]
    series = make_series(_minutes(range(6)), values, timeframe="1m")
    result = resample_counted(series, "3m")
    assert result.series.values.tolist() == [[10, 15, 7, 8, 7], [8, 10, 8, 10, 56]]
    assert result.series.open_time_ms.tolist() == _minutes([0, 3]).tolist()
    assert str(result.series.timeframe) == "3m"
    assert result.members.tolist() == [3, 3]
    assert (result.incomplete, result.dropped_unfinished) == (0, False)


def test_an_unfinished_last_candle_is_dropped_unless_kept():
    series = make_series(_minutes(range(8)), timeframe="1m")
    result = resample_counted(series, "5m")
    assert result.series.open_time_ms.tolist() == _minutes([0]).tolist()
    assert result.dropped_unfinished is True
    kept = resample_counted(series, "5m", partial="keep")
    assert kept.members.tolist() == [5, 3]
    assert kept.incomplete == 1


def test_missing_members_are_counted_or_dropped():
    series = make_series(_minutes([0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14]), timeframe="1m")
    result = resample_counted(series, "5m")
    assert result.members.tolist() == [5, 4, 5]
    assert result.incomplete == 1
    strict = resample_counted(series, "5m", complete_only=True)
    assert strict.series.open_time_ms.tolist() == _minutes([0, 10]).tolist()
    assert (strict.incomplete, strict.dropped_incomplete) == (0, 1)


def test_the_grid_starts_at_midnight_and_weeks_on_monday():
    day = 86_400_000
    series = make_series(MONDAY_MS + day * np.arange(-3, 11), timeframe="1d")
    weeks = resample_counted(series, "1w")
    assert weeks.series.open_time_ms.tolist() == [MONDAY_MS - 7 * day, MONDAY_MS]
    assert weeks.members.tolist() == [3, 7]
    hours = make_series(_minutes(range(0, 600, 60), first=MONDAY_MS + 7 * 3_600_000), timeframe="1h")
    assert (resample(hours, "4h").open_time_ms // 3_600_000 % 24).tolist() == [4, 8, 12]


def test_the_same_timeframe_gives_the_same_candles():
    series = make_series(_minutes(range(10)), timeframe="1m")
    assert resample(series, "1m").fingerprint() == series.fingerprint()


def test_an_empty_series_stays_empty():
    empty = make_series(_minutes(range(3)), timeframe="1m").head(0)
    assert len(resample(empty, "5m")) == 0


@pytest.mark.parametrize("timeframe", ["7m", "1m", "5d"])
def test_only_multiples_are_possible(timeframe):
    series = make_series(_minutes(range(0, 300, 15)), timeframe="15m")
    if timeframe == "5d":
        assert len(resample(series, timeframe)) == 0
        return
    with pytest.raises(DataError) as caught:
        resample(series, timeframe)
    assert str(caught.value) == (
        f"BTCUSDT: 15m candles cannot be resampled to {timeframe}, which is not a multiple. Choose a multiple of 15m."
    )


def test_a_candle_across_a_border_is_refused():
    series = make_series(_minutes([0, 15, 37, 52]), timeframe="15m")
    with pytest.raises(CandleError) as caught:
        resample(series, "1h")
    assert str(caught.value) == (
        "BTCUSDT: the 15m candle of 2023-01-02 00:52:00 UTC closes after the 1h candle it would belong to (1 such). "
        "Choose a coarser timeframe, or bring candles that open on the 15m grid."
    )


rows_with_gaps = st.sets(st.integers(0, 400), min_size=1, max_size=120).map(sorted)


@settings(max_examples=60, deadline=None)
@given(rows=rows_with_gaps, steps=st.sampled_from([("3m", "15m"), ("5m", "15m"), ("15m", "1h"), ("2m", "4m")]))
def test_two_steps_give_the_same_as_one(rows, steps):
    series = make_series(_minutes(rows), timeframe="1m")
    by_way = resample(resample(series, steps[0], partial="keep"), steps[1], partial="keep")
    assert by_way.fingerprint() == resample(series, steps[1], partial="keep").fingerprint()


@settings(max_examples=40, deadline=None)
@given(first=st.integers(0, 70), n=st.integers(1, 200))
def test_two_steps_drop_the_same_unfinished_candle_of_a_whole_history(first, n):
    series = make_series(_minutes(range(first, first + n)), timeframe="1m")
    assert resample(resample(series, "5m"), "15m").fingerprint() == resample(series, "15m").fingerprint()


@settings(max_examples=60, deadline=None)
@given(rows=rows_with_gaps, share=st.floats(0, 1), strict=st.booleans())
def test_closed_candles_do_not_change_when_the_future_is_cut(rows, share, strict):
    series = make_series(_minutes(rows), timeframe="1m")
    cut = series.head(int(share * len(series)))
    whole = resample(series, "15m", complete_only=strict)
    known = resample(cut, "15m", complete_only=strict)
    assert known.fingerprint() == whole.head(len(known)).fingerprint()


@settings(max_examples=40, deadline=None)
@given(rows=rows_with_gaps)
def test_the_result_equals_a_plain_loop(rows):
    series = make_series(_minutes(rows), timeframe="1m")
    groups: dict[int, list[int]] = {}
    for i, time in enumerate(series.open_time_ms.tolist()):
        groups.setdefault(time // (15 * MINUTE_MS) * 15 * MINUTE_MS, []).append(i)
    expected = []
    for members in groups.values():
        part = series.values[members]
        expected.append([part[0, 0], max(part[:, 1]), min(part[:, 2]), part[-1, 3], sum(part[:, 4])])
    result = resample(series, "15m", partial="keep")
    assert result.open_time_ms.tolist() == list(groups)
    assert result.values.tolist() == expected


def test_five_minutes_of_another_repository_make_the_same_quarters(real_data):
    fine = read_candles(real_data / "crypto/binance_perp_BTCUSDT_5m.parquet").one()
    coarse = read_candles(real_data / "crypto/binance_perp_BTCUSDT_15m.parquet").one()
    result = resample(fine, "15m")
    assert result.open_time_ms.tolist() == coarse.open_time_ms.tolist()
    differing = (result.values[:, :4] != coarse.values[:, :4]).any(axis=1)
    assert differing.sum() <= 3  # the two sources themselves differ in three quarters up to 2024-05
    volume = np.abs(result.values[:, 4] / np.maximum(coarse.values[:, 4], 1e-9) - 1)
    assert np.median(volume) < 1e-6  # float32 in the files


def test_minutes_of_shanghai_make_the_quarters_of_its_sessions(real_data):
    fine = read_candles(real_data / "china/sse_composite_000001_1m.parquet").one()
    coarse = read_candles(real_data / "china/sse_composite_000001_15m.parquet").one()
    result = resample(fine, "15m", partial="keep")
    assert result.open_time_ms.tolist() == coarse.open_time_ms.tolist()
    assert result.values[:, :4].tolist() == coarse.values[:, :4].tolist()
    assert np.allclose(result.values[:, 4], coarse.values[:, 4], rtol=1e-6)


def test_a_coarse_candle_has_the_book_of_its_close_or_none():
    series = make_series(_minutes([0, 1, 2, 3, 4, 6, 7, 8]), timeframe="1m")
    books = np.arange(8.0)[:, None] * np.ones((1, 4))
    result = resample(replace(series, books=books), "3m")
    np.testing.assert_array_equal(result.books[:, 0], [2.0, np.nan, 7.0])  # minute 5 is missing
    assert resample(series, "3m").books is None


@pytest.mark.parametrize(("until", "known"), [(None, 1), (-1, 1), (0, 2), (7, 2)])
def test_the_clock_closes_a_candle_whose_session_ended_within_it(until, known):
    hour = 3_600_000
    session = make_series(hour * np.arange(12, 21), timeframe="1h")  # from noon; 20:00 is the last to open
    end = 24 * hour
    found = resample(session, "4h", until_ms=None if until is None else end + until * hour)
    assert (found.open_time_ms // hour).tolist() == [12, 16, 20][: known + 1]
    later = make_series(hour * np.r_[np.arange(12, 21), 40], timeframe="1h")
    np.testing.assert_array_equal(resample(later, "4h").open_time_ms[: known + 1], found.open_time_ms)
