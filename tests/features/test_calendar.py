import numpy as np
import pytest
from tests.features.markets import random_walk

from triptych import features
from triptych.features._history import History

MONDAY_MS = 1_704_067_200_000  # 2024-01-01 00:00 UTC
HOUR_MS = 3_600_000


def value(name, open_time_ms, timeframe_ms):
    values, _ = random_walk(1)
    return features.describe(name).compute(History(values, np.array([open_time_ms]), timeframe_ms))[0]


@pytest.mark.parametrize(
    ("open_hour", "sine", "cosine"), [(23, 0.0, 1.0), (5, 1.0, 0.0), (11, 0.0, -1.0), (17, -1.0, 0.0)]
)
def test_the_time_of_day_is_that_of_the_close(open_hour, sine, cosine):
    assert value("day_sine", MONDAY_MS + open_hour * HOUR_MS, HOUR_MS) == pytest.approx(sine, abs=1e-12)
    assert value("day_cosine", MONDAY_MS + open_hour * HOUR_MS, HOUR_MS) == pytest.approx(cosine, abs=1e-12)


def test_the_week_starts_on_monday():
    sunday_ms = MONDAY_MS + 6 * 24 * HOUR_MS
    assert value("week_cosine", sunday_ms + 23 * HOUR_MS, HOUR_MS) == pytest.approx(1.0)
    assert value("week_sine", sunday_ms + 23 * HOUR_MS, HOUR_MS) == pytest.approx(0.0, abs=1e-12)
    assert value("week_cosine", MONDAY_MS + 83 * HOUR_MS, HOUR_MS) == pytest.approx(-1.0)  # Thursday noon


def test_daily_candles_close_at_midnight_every_day():
    assert value("day_cosine", MONDAY_MS, 24 * HOUR_MS) == pytest.approx(1.0)
