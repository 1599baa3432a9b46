"""A hole is a night where such holes recur at that time of day, weekends and holidays where nights or weekends do."""

import numpy as np
import pytest

from triptych.features.days import Config as DayConfig
from triptych.features.days import weekday_opens
from triptych.inference.closing_times import closed_times

MINUTE, QUARTER, HOUR, DAY = 60_000, 900_000, 3_600_000, 86_400_000
MONDAY = 1_672_617_600_000
A_DAY = 96
SHANGHAI = DayConfig(hours=("09:30-11:30", "13:00-15:00"), timezone="Asia/Shanghai")


def told(times, step):
    """By open of the candle after each hole, hours missing that count as an age, and hours missing."""
    times = np.asarray(times, dtype=np.int64)
    begin, end = closed_times(times, step)
    assert (begin <= end).all()
    missing = np.diff(times, prepend=times[0] - step) - step
    assert (end - begin <= missing).all()
    assert (end <= times).all()
    return {int(times[i]): ((missing - end + begin)[i] / HOUR, missing[i] / HOUR) for i in np.flatnonzero(missing)}


def outages(times, step):
    return {at: age for at, (age, _) in told(times, step).items() if age}


def around_the_clock(days, *gone, step=QUARTER):
    times = MONDAY + step * np.arange(days * DAY // step)
    keep = np.ones(len(times), dtype=bool)
    for begin, length in gone:
        keep &= (times < MONDAY + begin) | (times >= MONDAY + begin + length)
    return times[keep]


@pytest.mark.parametrize("hours", [0.25, 1, 15, 120])
@pytest.mark.parametrize("before", [0.25, 1, 15])
@pytest.mark.parametrize("days", [(3,), (3, 10), (3, 5, 9), (10, 15, 16)])
def test_around_the_clock_an_outage_is_one_whatever_was_missing_before_at_that_time_of_day(days, before, hours):
    at_three = 3 * HOUR
    earlier = [(day * DAY + at_three, int(before * HOUR)) for day in days]
    times = around_the_clock(30, *earlier, (17 * DAY + at_three, int(hours * HOUR)))
    assert list(outages(times, QUARTER).values()) == [before] * len(days) + [hours]


def test_an_outage_is_not_told_a_weekend_by_one_of_some_days_a_week_before():
    times = around_the_clock(30, (3 * DAY, 30 * HOUR), (9 * DAY - 5 * HOUR, 40 * HOUR))
    assert list(outages(times, QUARTER).values()) == [30.0, 40.0]


@pytest.mark.parametrize("step", [5 * MINUTE, QUARTER, 30 * MINUTE])
def test_nights_lunches_weekends_and_new_year_of_shanghai_are_told_after_the_first_day(step):
    a_day = 4 * HOUR // step
    times = weekday_opens(60 * a_day, MONDAY, step, SHANGHAI).copy()
    times[30 * a_day :] += 7 * DAY
    found = told(times, step)
    assert len(found) == 60 * 2 - 1
    assert list(outages(times, step).values()) == [1.5, 18.5]


def test_hours_of_new_york_with_its_clock_changes():
    def opens(day):
        is_summer = 70 <= day < 308
        return MONDAY + day * DAY + (13 if is_summer else 14) * HOUR + 30 * MINUTE + QUARTER * np.arange(26)

    times = np.concatenate([opens(day) for day in range(400) if day % 7 < 5 and day not in (45, 102, 185, 186)])
    found = {(at - MONDAY) // DAY: age for at, age in outages(times, QUARTER).items()}
    assert found.pop(1) == 17.5  # nothing tells the first night
    assert set(found.values()) == {1.0}  # of a night that begins or ends an hour off, until six have done so
    spring, autumn = 70, 308
    assert set(found) <= {*range(spring, spring + 9), *range(autumn, autumn + 9)}


@pytest.mark.parametrize("step", [MINUTE, QUARTER, HOUR])
def test_weekends_of_currencies_are_told_after_the_first(step):
    times = MONDAY + step * np.arange(35 * DAY // step)
    in_week = (times - MONDAY) % (7 * DAY)
    trades = (in_week < 4 * DAY + 22 * HOUR) | (in_week >= 6 * DAY + 22 * HOUR)
    outage = (times >= MONDAY + 22 * DAY + 22 * HOUR) & (times < MONDAY + 23 * DAY + 3 * HOUR)
    assert list(outages(times[trades], step).values()) == [48.0]
    assert list(outages(times[trades & ~outage], step).values()) == [48.0, 5.0]


def test_an_outage_that_holds_a_night_counts_but_for_the_night():
    hours = np.concatenate([MONDAY + day * DAY + HOUR * np.arange(14, 21) for day in range(20)])
    gone = (hours >= MONDAY + 12 * DAY + 18 * HOUR) & (hours < MONDAY + 13 * DAY + 16 * HOUR)
    assert list(outages(hours[~gone], HOUR).values()) == [17.0, 5.0]
    two_days = (hours >= MONDAY + 12 * DAY + 16 * HOUR) & (hours < MONDAY + 14 * DAY + 18 * HOUR)
    assert list(outages(hours[~two_days], HOUR).values()) == [17.0, 2 * 24 + 2 - 17.0]


def test_what_is_told_knows_nothing_of_what_comes_and_of_no_more_than_is_kept():
    rng = np.random.default_rng(3)
    hours = np.concatenate([MONDAY + day * DAY + HOUR * np.arange(14, 21) for day in range(60) if day % 7 < 5])
    times = hours[rng.random(len(hours)) > 0.1]
    begin, end = closed_times(times, HOUR, memory=40)
    for n in range(60, len(times), 7):
        short = closed_times(times[:n], HOUR, memory=40)
        np.testing.assert_array_equal(short, (begin[:n], end[:n]))
        kept = closed_times(times[n - 43 : n], HOUR, memory=40)
        np.testing.assert_array_equal([one[-1] for one in kept], (begin[n - 1], end[n - 1]))
