import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features.chart_patterns.drawn import LOOSE
from tests.features.markets import MADE, random_walk

from triptych.domain.errors import DataError
from triptych.features.chart_patterns import PATTERNS, ChartPatternScanner, Config, find_chart_patterns

ALL = Config(scales=(1.5, 3.0), windows=(20, 35), **LOOSE)
"""Everything is reported, so that every family has detections to compare."""


def test_no_detection_peeks():
    values, _ = random_walk(900, seed=11)
    whole = find_chart_patterns(values, ALL)
    assert len({d.pattern for d in whole}) >= 12
    for cut in (60, 133, 287, 500, 731, 899):
        assert find_chart_patterns(values[:cut], ALL) == tuple(d for d in whole if d.known_at < cut)


def test_a_future_of_another_kind_changes_nothing_that_was_known():
    values, _ = random_walk(600, seed=12)
    wild = values.copy()
    wild[400:, :4] *= np.linspace(1.0, 5.0, 200)[:, None]
    known = [d for d in find_chart_patterns(values, ALL) if d.known_at < 400]
    assert known == [d for d in find_chart_patterns(wild, ALL) if d.known_at < 400]


@given(seed=st.integers(0, 1000), cut=st.integers(20, 300))
@settings(max_examples=10, deadline=None)
def test_a_stream_finds_what_the_history_finds(seed, cut):
    values, _ = random_walk(300, seed=seed)
    scanner = ChartPatternScanner(ALL)
    streamed = [d for candle in values[:cut] for d in scanner.update(candle)]
    assert tuple(streamed) == tuple(d for d in find_chart_patterns(values, ALL) if d.known_at < cut)


def test_every_detection_is_whole():
    values, _ = random_walk(1500, seed=13)
    for d in find_chart_patterns(values, ALL):
        assert d.side == PATTERNS[d.pattern]
        assert 0 <= d.start < d.end <= d.known_at < len(values)
        assert 0.0 <= d.score <= 1.0
        indices = [point.index for point in d.key_points]
        assert indices == sorted(set(indices))
        assert (indices[0], indices[-1]) == (d.start, d.end)
        box = values[d.start : d.end + 1]
        assert (d.low, d.high) == (box[:, 2].min(), box[:, 1].max())
        assert all(d.low <= point.price <= d.high for point in d.key_points)


def test_detections_come_in_the_order_in_which_they_became_known():
    values, _ = random_walk(1500, seed=13)
    known = [d.known_at for d in find_chart_patterns(values, ALL)]
    assert known == sorted(known)


def test_what_has_been_reported_is_not_repeated():
    values, _ = random_walk(1500, seed=13)
    found = find_chart_patterns(values, ALL)
    keys = [(d.pattern, d.start, d.end) for d in found]
    assert len(keys) == len(set(keys))


def test_old_candles_are_forgotten_without_changing_what_is_found():
    values, _ = random_walk(700, seed=14)
    short = Config(scales=(1.5,), windows=(20,), longest=60, **LOOSE)
    whole = find_chart_patterns(values, short)
    assert max(d.end - d.start for d in whole) <= 60
    assert max(d.known_at for d in whole) > 600


@pytest.mark.parametrize("name", ["constant", "halted", "spike", "cheap", "tiny moves", "coarse ticks"])
def test_hard_markets_are_survived(name):
    values, _ = MADE[name]()
    for d in find_chart_patterns(values[:1200], ALL):
        assert np.isfinite(d.score)


def test_nothing_is_found_where_nothing_moves():
    assert find_chart_patterns(MADE["constant"]()[0][:300], ALL) == ()


def test_prices_of_another_level_give_the_same_patterns():
    values, _ = random_walk(600, seed=15)
    dear = values * np.array([1024.0, 1024.0, 1024.0, 1024.0, 1.0])
    pairs = zip(find_chart_patterns(values, ALL), find_chart_patterns(dear, ALL), strict=True)
    assert all((a.pattern, a.start, a.end, a.known_at) == (b.pattern, b.start, b.end, b.known_at) for a, b in pairs)


def test_a_candle_that_is_none_is_refused():
    with pytest.raises(DataError) as refused:
        ChartPatternScanner().update(np.array([1.0, np.nan, 1.0, 1.0, 1.0]))
    assert str(refused.value) == (
        "Expected one candle (open, high, low, close, volume) with prices above zero, open and close within low .. "
        "high, was [1.0, nan, 1.0, 1.0, 1.0]. Feed closed candles one by one, without gaps of NaN."
    )


@pytest.mark.parametrize("price", [np.nan, 0.0, -1.0, np.inf, -np.inf, 98.0, 103.0])
@pytest.mark.parametrize("field", [0, 3])
def test_an_open_or_a_close_that_cannot_be_is_refused_and_leaves_the_scanner_as_it_was(field, price):
    values, _ = random_walk(120, seed=15)
    scanner, untouched = ChartPatternScanner(ALL), ChartPatternScanner(ALL)
    for candle in values[:60]:
        scanner.update(candle)
        untouched.update(candle)
    wrong = np.array([100.0, 101.0, 99.0, 100.0, 1.0])
    wrong[field] = price
    with pytest.raises(DataError):
        scanner.update(wrong)
    assert [scanner.update(one) for one in values[60:]] == [untouched.update(one) for one in values[60:]]


@pytest.mark.parametrize("candle", [[100.0, 99.0, 101.0, 100.0, 1.0], [100.0, np.inf, 99.0, 100.0, 1.0]])
def test_a_high_that_is_below_the_low_or_infinite_is_refused(candle):
    with pytest.raises(DataError):
        ChartPatternScanner().update(np.array(candle))
