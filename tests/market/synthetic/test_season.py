import numpy as np
import pytest

from triptych.domain import Timeframe
from triptych.market.synthetic.season import log_season

MONDAY = 1_704_067_200_000  # 2024-01-01 00:00 UTC
HOUR = 3_600_000


def week(timeframe: str, weekend: float = 1.0) -> np.ndarray:
    step = Timeframe.parse(timeframe).milliseconds
    times = MONDAY + step * np.arange(7 * 24 * HOUR // step, dtype=np.int64)
    return log_season(times, Timeframe.parse(timeframe), amplitude=0.3, weekend=weekend)


def test_the_busiest_hour_is_in_the_afternoon_and_the_quietest_at_night():
    day = week("1h")[:24]
    assert int(day.argmax()) in (13, 14, 15)
    assert int(day.argmin()) in (3, 4, 5, 6)
    assert day.mean() == pytest.approx(0.0, abs=1e-12)


def test_every_weekday_has_the_same_shape():
    days = week("15m").reshape(7, 96)
    assert np.allclose(days, days[0])


def test_saturday_and_sunday_are_multiplied():
    days = np.exp(week("1h", weekend=0.5).reshape(7, 24) - week("1h").reshape(7, 24))
    assert np.allclose(days[:5], 1.0)
    assert np.allclose(days[5:], 0.5)


def test_daily_candles_know_the_weekend_but_no_hour():
    assert np.exp(week("1d", weekend=0.5)).tolist() == pytest.approx([1, 1, 1, 1, 1, 0.5, 0.5])


def test_weekly_candles_know_neither():
    assert week("1w", weekend=0.5).tolist() == [0.0]
