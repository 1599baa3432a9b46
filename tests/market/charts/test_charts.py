import numpy as np
import pytest

from triptych.features.chart_patterns import PATTERNS, box_overlap, find_chart_patterns
from triptych.market.charts import Config, draw_chart, draw_shape

PLANTED = Config(share_planted=1.0, share_broken=0.0)
BROKEN = Config(share_planted=0.0, share_broken=1.0)


def test_a_chart_is_fixed_by_seed_and_number():
    one, same, other = draw_chart(PLANTED, 3, 5), draw_chart(PLANTED, 3, 5), draw_chart(PLANTED, 3, 6)
    np.testing.assert_array_equal(one.values, same.values)
    assert one.planted == same.planted
    assert not np.array_equal(one.values, other.values)


def test_candles_keep_the_rules_of_candles_and_turning_points_are_exact():
    seen = set()
    for number in range(300):
        chart = draw_chart(PLANTED, 1, number)
        values, planted = chart.values, chart.planted
        assert (values > 0).all()
        assert (values[:, 1] >= values[:, [0, 3]].max(axis=1)).all()
        assert (values[:, 2] <= values[:, [0, 3]].min(axis=1)).all()
        box = values[planted.start : planted.end + 1]
        assert (planted.low, planted.high) == (box[:, 2].min(), box[:, 1].max())
        assert 0.0 < planted.score <= 1.0
        assert planted.side == PATTERNS[planted.pattern]
        for before, point, after in zip(
            planted.key_points, planted.key_points[1:], planted.key_points[2:], strict=False
        ):
            between = values[before.index + 1 : after.index]
            extreme = between[:, 1].max() if point.price > before.price else between[:, 2].min()
            assert point.price == pytest.approx(extreme, rel=1e-12)
        seen.add(planted.pattern)
    assert seen == set(PATTERNS)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_shape_without_blemishes_is_exact_and_of_full_quality(pattern):
    shape = draw_shape(pattern, np.random.default_rng(0), blemishes=0.0)
    assert shape.quality == 1.0
    assert shape.pattern == shape.like == pattern
    assert (shape.time[0], shape.time[-1]) == (0.0, 1.0)
    assert (np.diff(shape.time) > 0).all()
    turns = np.sign(np.diff(shape.price))
    assert (turns[1:] == -turns[:-1]).all()


def test_an_exact_head_and_shoulders_has_equal_shoulders_and_a_level_neck():
    shape = draw_shape("head_and_shoulders", np.random.default_rng(0), blemishes=0.0)
    left, left_neck, head, right_neck, right = shape.price
    assert (left, left_neck, head) == (right, right_neck, 1.0)
    assert left < 0.71


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_near_miss_has_no_name_but_is_like_its_pattern(pattern):
    shape = draw_shape(pattern, np.random.default_rng(1), blemishes=1.0, broken=True)
    assert shape.pattern == ""
    assert shape.like == pattern
    assert draw_chart(BROKEN, 1, 0).planted is None


def test_the_shares_of_patterns_near_misses_and_walks_are_as_asked_for():
    charts = [draw_chart(Config(), 2, number) for number in range(600)]
    planted = sum(chart.planted is not None for chart in charts)
    walks = sum(chart.like == "" for chart in charts)
    assert planted / 600 == pytest.approx(0.6, abs=0.06)
    assert walks / 600 == pytest.approx(0.2, abs=0.05)


def test_walks_have_the_volatility_that_they_name():
    walk = draw_chart(Config(share_planted=0.0, share_broken=0.0, trend=0.0, length=2000), 1, 0)
    assert np.std(np.diff(np.log(walk.values[:, 3]))) == pytest.approx(walk.volatility, rel=0.1)


def test_rules_find_most_exact_patterns():
    exact = Config(share_planted=1.0, share_broken=0.0, blemishes=0.0, noise=0.2)
    charts = [draw_chart(exact, 4, number) for number in range(80)]
    hits = sum(_hit(chart.values, chart.planted) for chart in charts)
    assert hits >= 50


def _hit(values, planted):
    return any(d.pattern == planted.pattern and box_overlap(d, planted) >= 0.5 for d in find_chart_patterns(values))
