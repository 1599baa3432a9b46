import pytest
from tests.features.chart_patterns.drawn import LOOSE, legs, mirrored

from triptych.features.chart_patterns import Config, find_chart_patterns

ZIGZAG = Config(windows=(), scales=(2.0,), **LOOSE)
RISE = ((0, 80.0), (30, 98.0))
FALL = ((0, 120.0), (30, 102.0))

DRAWN = {
    "head_and_shoulders": ((0, 80.0), (30, 100.0), (38, 95.0), (48, 108.0), (58, 95.2), (66, 100.3), (80, 90.0)),
    "double_top": ((0, 80.0), (30, 100.0), (42, 90.0), (54, 100.2), (70, 85.0)),
    "ascending_triangle": ((0, 80.0), (30, 100.0), (40, 88.0), (50, 100.1), (58, 94.0), (64, 100.0), (72, 92.0)),
    "symmetrical_triangle": ((0, 70.0), (30, 100.0), (40, 84.0), (50, 97.0), (58, 88.0), (64, 95.0), (76, 85.0)),
    "bull_flag": ((0, 84.0), (30, 80.0), (38, 100.0), (44, 96.0), (49, 98.8), (55, 94.5), (66, 105.0)),
    "bull_pennant": ((0, 84.0), (30, 80.0), (38, 100.0), (44, 92.0), (50, 97.5), (55, 94.0), (66, 105.0)),
    "rising_wedge": ((0, 93.0), (25, 80.0), (40, 100.0), (52, 92.0), (62, 104.0), (70, 100.0), (85, 85.0)),
    "rectangle": ((0, 80.0), (30, 100.0), (40, 90.0), (50, 100.1), (60, 90.1), (70, 100.0), (80, 92.0)),
}
MIRROR = {
    "head_and_shoulders": "inverse_head_and_shoulders",
    "double_top": "double_bottom",
    "ascending_triangle": "descending_triangle",
    "bull_flag": "bear_flag",
    "bull_pennant": "bear_pennant",
    "rising_wedge": "falling_wedge",
    "symmetrical_triangle": "symmetrical_triangle",
    "rectangle": "rectangle",
}


def found(values, name, config=ZIGZAG):
    return [d for d in find_chart_patterns(values, config) if d.pattern == name]


@pytest.mark.parametrize("name", DRAWN)
def test_a_pattern_drawn_with_straight_legs_is_found(name):
    assert found(legs(*DRAWN[name]), name)


@pytest.mark.parametrize("name", DRAWN)
def test_upside_down_it_is_the_opposite_pattern(name):
    assert found(mirrored(legs(*DRAWN[name])), MIRROR[name])


def test_a_head_and_shoulders_has_its_turning_points_box_and_time():
    (one,) = found(legs(*DRAWN["head_and_shoulders"]), "head_and_shoulders")
    assert [point.index for point in one.key_points] == [30, 38, 48, 58, 66]
    assert [point.price for point in one.key_points] == pytest.approx([100.1, 94.9, 108.1, 95.1, 100.4])
    assert (one.start, one.end, one.side) == (30, 66, -1)
    assert (one.low, one.high) == pytest.approx((94.9, 108.1))
    assert 67 <= one.known_at <= 70
    assert 0.8 < one.score < 1.0


def test_a_head_below_a_shoulder_is_none():
    values = legs((0, 80.0), (30, 100.0), (38, 95.0), (48, 99.0), (58, 95.2), (66, 100.3), (80, 90.0))
    assert found(values, "head_and_shoulders") == []


def test_shoulders_at_different_prices_are_none():
    values = legs((0, 80.0), (30, 100.0), (38, 95.0), (48, 108.0), (58, 95.2), (66, 104.5), (80, 90.0))
    assert found(values, "head_and_shoulders") == []


def test_a_second_top_beyond_the_tolerance_makes_no_double():
    assert found(legs((0, 80.0), (30, 100.0), (42, 90.0), (54, 103.0), (70, 85.0)), "double_top") == []


def test_borders_that_part_are_no_triangle():
    values = legs((0, 80.0), (30, 95.0), (40, 90.0), (50, 98.0), (60, 86.0), (70, 102.0), (85, 80.0))
    names = {d.pattern for d in find_chart_patterns(values, ZIGZAG)}
    assert not names & {"ascending_triangle", "descending_triangle", "symmetrical_triangle", "rectangle"}


@pytest.mark.parametrize("low", [84.0, 84.5, 85.0])
def test_the_low_that_a_rectangle_was_approached_from_is_no_touch_of_it(low):
    values = legs((0, low + 8.0), (10, low), (50, 100.0), (62, 90.0), (74, 100.1), (86, 90.1), (98, 100.0), (110, 84.0))
    for config in (ZIGZAG, Config()):
        said = {d.pattern for d in find_chart_patterns(values, config)}
        assert "rectangle" in said
        assert not said & {"ascending_triangle", "symmetrical_triangle"}


def test_a_third_bottom_on_the_line_of_the_others_is_a_touch():
    values = legs((0, 90.0), (30, 76.0), (40, 100.0), (50, 82.0), (60, 100.1), (68, 88.0), (74, 100.0), (82, 90.0))
    assert [(d.start, d.end) for d in found(values, "ascending_triangle")] == [(30, 68)]


def test_a_rest_that_gives_back_the_whole_pole_is_no_flag():
    values = legs((0, 84.0), (30, 80.0), (38, 100.0), (44, 86.0), (49, 90.0), (55, 84.0), (66, 95.0))
    assert found(values, "bull_flag") == []


def cup(bottom_share, handle=96.0):
    """A cup of 40 candles and a depth of 15, round (1) or V-shaped (0), and its handle down to a price."""
    import numpy as np

    x = np.linspace(-1.0, 1.0, 41)
    curve = 85.0 + 15.0 * (bottom_share * x**2 + (1 - bottom_share) * np.abs(x))
    head, tail = np.linspace(80.0, 100.0, 30), np.r_[np.linspace(99.0, handle, 6), np.linspace(97.0, 108.0, 8)]
    return legs(*enumerate(np.r_[head[:-1], curve, tail].tolist()))


def test_a_round_cup_with_a_small_handle_is_found():
    (one,) = found(cup(1.0), "cup_and_handle")
    assert (one.start, one.end) == (29, 75)
    assert one.side == 1


def test_a_handle_may_take_back_a_third_of_the_cup():
    assert Config().handle == 1 / 3
    for low, count in ((95.6, 1), (93.8, 0)):
        assert len(found(cup(1.0, low), "cup_and_handle")) == count


def test_a_v_is_no_cup():
    assert found(cup(0.0), "cup_and_handle") == []


def test_the_paper_s_tolerances_are_shares_of_the_price():
    lmw = Config(scales=(), unit="percent", tolerance=1.5, prominence=0.0, balance=100.0, **LOOSE)
    near = legs((0, 97.0), (20, 100.0), (25, 98.0), (30, 104.0), (35, 98.2), (40, 102.0), (44, 97.0), (54, 96.0))
    far = legs((0, 97.0), (20, 100.0), (25, 98.0), (30, 106.0), (35, 98.2), (40, 104.0), (44, 97.0), (54, 96.0))
    assert found(near, "head_and_shoulders", lmw)
    assert found(far, "head_and_shoulders", lmw) == []


def test_the_kernel_reports_its_extremum_after_the_delay():
    lmw = Config(scales=(), delay=3, **LOOSE)
    shoulders = ((20, 100.0), (25, 98.0), (30, 104.0), (35, 98.0), (40, 100.2), (44, 97.0), (54, 96.0))
    one = found(legs((0, 90.0), *shoulders), "head_and_shoulders", lmw)[0]
    assert one.end == 40
    assert one.known_at == 43
