from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from triptych.domain.errors import RecipeError
from triptych.features.days import Config, candles_a_day, places, weekday_opens

QUARTER_MS = 15 * 60_000
DAY_MS = 86_400_000
SHANGHAI = Config(hours=("09:30-11:30", "13:00-15:00"), timezone="Asia/Shanghai")
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "china" / "sse_composite_000001_15m.parquet"


def opens(days, *, without=()):
    """Opening times of full Shanghai days, UTC milliseconds, all but those of the (day, place) named."""
    slots = [90 + 15 * i for i in range(8)] + [300 + 15 * i for i in range(8)]  # minutes after midnight UTC
    return np.array([
        d * DAY_MS + slots[i] * 60_000 for d in days for i in range(16) if (d, i) not in without
    ], dtype=np.int64)  # fmt: skip


def test_a_full_day_has_sixteen_places_and_its_last_candle_closes_it():
    found = places(opens([0, 1, 2]), QUARTER_MS, SHANGHAI)
    assert found.at.tolist() == list(range(48))
    assert np.flatnonzero(found.closes).tolist() == [15, 31, 47]
    assert (found.per_day, found.count, found.outside, found.empty) == (16, 48, 0, 0)


def test_a_half_session_and_a_missing_candle_move_nothing_after_them():
    half = {(1, i) for i in range(8, 16)}  # no afternoon
    found = places(opens([0, 1, 4, 5], without=half | {(4, 3)}), QUARTER_MS, SHANGHAI)
    assert found.at[16:24].tolist() == list(range(16, 24))
    assert found.at[24:39].tolist() == [32, 33, 34, *range(36, 48)]
    assert found.at[39:].tolist() == list(range(48, 64))  # the holiday of days 2 and 3 takes no room
    # Nobody could know at 11:30 that the day was over: no candle of it closes it.
    assert np.flatnonzero(found.closes).tolist() == [15, 38, 54]
    assert found.empty == 9
    laid = found.lay(np.arange(1.0, 56.0, dtype=np.float32)[:, None])
    assert laid.shape == (64, 1)
    assert laid[24:32, 0].tolist() == [0.0] * 8
    assert laid[35, 0] == 0.0
    assert laid[36, 0] == 28.0


def test_places_of_a_history_cut_short_are_those_of_the_whole():
    times = opens(range(9), without={(3, i) for i in range(5, 16)} | {(6, 0)})
    whole = places(times, QUARTER_MS, SHANGHAI)
    for stop in range(1, len(times)):
        cut = places(times[:stop], QUARTER_MS, SHANGHAI)
        assert cut.at.tolist() == whole.at[:stop].tolist()
        assert cut.closes.tolist() == whole.closes[:stop].tolist()


def test_parts_cut_a_day_that_never_ends():
    config = Config(hours=("00:00-24:00",), parts=6)
    found = places(np.arange(200) * QUARTER_MS, QUARTER_MS, config)
    assert found.per_day == 16
    assert np.flatnonzero(found.closes).tolist() == list(range(15, 200, 16))
    assert found.at.tolist() == list(range(200))


def test_summer_time_moves_the_hours_and_not_the_places():
    config = Config(hours=("09:30-16:00",), timezone="America/New_York")
    winter = datetime(2024, 3, 8, 14, 30, tzinfo=UTC)  # a Friday; the clocks change on Sunday
    summer = datetime(2024, 3, 11, 13, 30, tzinfo=UTC)
    times = np.concatenate([int(t.timestamp()) * 1000 + np.arange(26) * QUARTER_MS for t in (winter, summer)])
    found = places(times, QUARTER_MS, config)
    assert found.at.tolist() == list(range(52))
    assert np.flatnonzero(found.closes).tolist() == [25, 51]


def test_candles_outside_the_hours_have_no_place():
    found = places(np.array([0, QUARTER_MS, 90 * 60_000 + 1, 90 * 60_000 + QUARTER_MS]), QUARTER_MS, SHANGHAI)
    assert found.at.tolist() == [-1, -1, -1, 1]
    assert found.outside == 3


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        (["9 to 5"], "cannot read the hours '9 to 5'; write them like '09:30-11:30'"),
        (["13:00-15:00", "09:30-11:30"], "hours must follow one another within a day"),
        (["15:00-09:00"], "hours must follow one another within a day"),
        (["09:00-25:00"], "hours must follow one another within a day"),
    ],
)
def test_hours_that_cannot_be_are_refused(hours, message):
    with pytest.raises(ValidationError, match=message):
        Config(hours=hours)


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(ValidationError, match="unknown time zone 'Shanghai'; write it like UTC or Asia/Shanghai"):
        Config(timezone="Shanghai")


def test_candles_that_do_not_fill_the_hours_are_refused():
    with pytest.raises(RecipeError) as refused:
        candles_a_day(7 * 60_000, SHANGHAI)
    assert str(refused.value) == (
        "Candles of 7 minutes do not fill the hours 09:30-11:30, 13:00-15:00. "
        "Set features.day.hours to whole candles, or resample by data.timeframe."
    )
    with pytest.raises(RecipeError) as refused:
        candles_a_day(QUARTER_MS, SHANGHAI.model_copy(update={"parts": 3}))
    assert str(refused.value) == (
        "The 16 candles of a day cannot be cut into 3 equal parts. Set features.day.parts to a divisor."
    )


def test_an_invented_calendar_keeps_the_hours_on_weekdays():
    friday = int(datetime(2024, 1, 5, tzinfo=UTC).timestamp()) * 1000
    times = weekday_opens(33, friday, QUARTER_MS, SHANGHAI)
    assert datetime.fromtimestamp(times[0] / 1000, tz=UTC).isoformat() == "2024-01-05T01:30:00+00:00"
    assert datetime.fromtimestamp(times[16] / 1000, tz=UTC).isoformat() == "2024-01-08T01:30:00+00:00"
    found = places(times, QUARTER_MS, SHANGHAI)
    assert found.at.tolist() == list(range(33))


@pytest.mark.skipif(not REAL.exists(), reason="the real candles of the SSE Composite are not here")
def test_the_two_short_days_of_the_circuit_breaker_keep_sixteen_places():
    times = pl.read_parquet(REAL)["timestamp"].dt.epoch("ms").to_numpy()
    found = places(times, QUARTER_MS, SHANGHAI)
    assert (found.per_day, found.count, found.outside) == (16, 732 * 16, 0)
    assert found.empty == 5 + 14  # 2016-01-04 broke off with 11 candles, 2016-01-07 with 2
    assert found.closes.sum() == 730
    assert set((times[found.closes] % DAY_MS // 60_000).tolist()) == {405}  # all close at 07:00 UTC, 15:00 there
    short = [int(np.datetime64(day, "ms").astype(np.int64)) // DAY_MS for day in ("2016-01-04", "2016-01-07")]
    assert not found.closes[np.isin(times // DAY_MS, short)].any()
