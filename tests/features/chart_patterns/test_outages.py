import numpy as np
import pytest
from tests.features.chart_patterns.drawn import LOOSE
from tests.features.markets import TIMEFRAME_MS, random_walk

from triptych.features._history import History
from triptych.features.chart_factors import BEFORE, BLOCK, chart_freshness
from triptych.features.chart_patterns import (
    PATTERNS,
    ChartPatternScanner,
    Config,
    find_chart_patterns,
    find_paper_patterns,
    outages,
)
from triptych.inference.chart_patterns import NUMBERS, find_by_network
from triptych.inference.pattern_reader import AbstractPatternReader

HOUR = 3_600_000
DAY = 24 * HOUR
HOLE = 300


class Sure(AbstractPatternReader):
    """Names every pattern in every window, over the whole of it."""

    length, labels, numbers = 96, tuple(PATTERNS), NUMBERS

    def answers(self, windows):
        said = np.ones((len(windows), len(PATTERNS), 1 + len(NUMBERS)), dtype=np.float32)
        said[..., 1] = 0.0
        return said


FINDERS = {
    "rules": lambda values, after: find_chart_patterns(values, after_outage=after),
    "paper": lambda values, after: find_paper_patterns(values, after_outage=after),
    "network": lambda values, after: find_by_network(Sure(), values, after_outage=after),
}


def trading_days(days, last_hour=20):
    """Open times of hourly candles from 14:00 to 20:00 UTC, Monday to Friday from 1970-01-05 on."""
    return np.array([d * DAY + h * HOUR for d in days if (d + 3) % 7 < 5 for h in range(14, last_hour + 1)])


def at(*candles, n=600):
    return np.isin(np.arange(n), candles)


def test_where_trading_never_ends_every_hole_is_an_outage():
    times = np.delete(np.arange(600, dtype=np.int64), [100, 250, 251, 252]) * HOUR
    assert np.flatnonzero(outages(times, HOUR)).tolist() == [100, 249]


def test_a_night_and_a_weekend_are_none_once_a_night_has_been_seen():
    times = trading_days(range(4, 40))
    assert np.flatnonzero(outages(times, HOUR)).tolist() == [7]


def test_an_outage_within_a_session_and_one_of_a_week_are_found_beside_nights():
    times = trading_days([*range(4, 32), *range(40, 50)])
    times = np.delete(times, [24, 25])
    assert np.flatnonzero(outages(times, HOUR)).tolist() == [7, 24, 20 * 7 - 2]


def test_outages_do_not_peek():
    times = np.delete(trading_days(range(4, 80)), [24, 25, 99, 151])
    whole = outages(times, HOUR)
    assert whole.sum() >= 3
    for cut in (20, 25, 98, 99, 100, 152):
        np.testing.assert_array_equal(outages(times[:cut], HOUR), whole[:cut])


@pytest.mark.parametrize("finder", FINDERS)
def test_no_pattern_runs_across_an_outage(finder):
    values, _ = random_walk(600, seed=21)
    find = FINDERS[finder]

    def across(found):
        return [d for d in found if d.start < HOLE <= d.known_at]

    assert across(find(values, None))
    found = find(values, at(HOLE))
    assert across(found) == []
    assert any(d.start >= HOLE for d in found)
    assert [d for d in found if d.known_at < HOLE] == [d for d in find(values, None) if d.known_at < HOLE]


def test_after_an_outage_a_scanner_begins_as_with_the_first_candle():
    values, _ = random_walk(600, seed=22)
    loose = Config(scales=(1.5, 3.0), windows=(20,), longest=60, **LOOSE)
    after = find_chart_patterns(values, loose, after_outage=at(HOLE))
    alone = find_chart_patterns(values[HOLE:], loose)
    later = [d for d in after if d.known_at >= HOLE]
    assert len(later) > 20
    for one, same in zip(later, alone, strict=True):
        assert (one.pattern, one.side) == (same.pattern, same.side)
        assert (one.start - HOLE, one.end - HOLE, one.known_at - HOLE) == (same.start, same.end, same.known_at)
        assert one.score == pytest.approx(same.score)
    scanner = ChartPatternScanner(loose)
    assert after == tuple(d for n, one in enumerate(values) for d in scanner.update(one, after_outage=n == HOLE))


def test_factors_know_no_pattern_across_an_outage():
    n = 2 * BLOCK + BEFORE
    values, _ = random_walk(n, seed=23)
    times = np.arange(n, dtype=np.int64) * TIMEFRAME_MS
    hole = 2 * BLOCK + 60
    later = np.where(np.arange(n) < hole, times, times + 10_000 * TIMEFRAME_MS)
    whole, holed = (chart_freshness(History(values, one, TIMEFRAME_MS)) for one in (times, later))
    np.testing.assert_array_equal(holed[:hole], whole[:hole])
    known = np.zeros(holed.shape[1], dtype=bool)
    for row in range(hole, hole + 14):  # the shortest pattern has fifteen candles
        assert np.isfinite(holed[row]).all()
        known |= np.abs(holed[row]) == 1.0
    assert not known.any()
