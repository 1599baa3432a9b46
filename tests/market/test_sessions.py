import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.domain import Timeframe
from triptych.market.sessions import find_breaks

MONDAY_MS = 1_672_617_600_000
HOUR_MS = 3_600_000


@settings(max_examples=60, deadline=None)
@given(holes=st.sets(st.integers(1, 24 * 7 * 8 - 2), max_size=40), first=st.integers(0, 200))
def test_in_a_market_that_never_closes_every_missing_candle_is_counted(holes, first):
    rows = np.array([row for row in range(24 * 7 * 8) if row not in holes])
    breaks = find_breaks(MONDAY_MS + HOUR_MS * (first + rows), Timeframe.parse("1h"))
    runs = np.diff(rows)
    assert breaks.after.tolist() == np.flatnonzero(runs > 1).tolist()
    gaps = ~breaks.is_session
    # The same hour may be missing in three breaks that begin and end alike by chance: then they look like a session.
    assert breaks.missing[gaps].tolist() == (runs[runs > 1] - 1)[gaps].tolist()
    assert breaks.missing[breaks.is_session].sum() == 0


def test_a_few_missing_hours_are_never_taken_for_a_session():
    rows = np.delete(np.arange(24 * 7 * 8), [100, 101, 500, 900, 901, 902])
    breaks = find_breaks(MONDAY_MS + HOUR_MS * rows, Timeframe.parse("1h"))
    assert breaks.missing.tolist() == [2, 1, 3]
    assert breaks.open_share == 1.0


def test_a_break_of_more_than_three_weeks_is_a_gap_even_between_sessions():
    days = np.array([day for day in range(700) if day % 7 < 5 and not 300 <= day < 330])
    breaks = find_breaks(MONDAY_MS + 24 * HOUR_MS * days, Timeframe.parse("1d"))
    assert breaks.missing.sum() == 21  # weekdays among the thirty days
    assert np.count_nonzero(~breaks.is_session) == 1


def test_a_timeframe_that_does_not_divide_the_week_has_no_sessions():
    step = 5 * HOUR_MS
    rows = np.delete(np.arange(100), [50, 51])
    breaks = find_breaks(MONDAY_MS + step * rows, Timeframe(step))
    assert breaks.missing.tolist() == [2]
    assert breaks.is_session.tolist() == [False]


def test_a_history_of_one_day_counts_every_hole():
    rows = np.delete(np.arange(20), [10])
    assert find_breaks(MONDAY_MS + HOUR_MS * rows, Timeframe.parse("1h")).missing.tolist() == [1]
    assert find_breaks(MONDAY_MS + HOUR_MS * rows[:1], Timeframe.parse("1h")).missing.tolist() == []
