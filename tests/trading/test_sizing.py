import pytest

from triptych.trading.sizing import Config, Sizer


def test_fixed_sizing_splits_the_capital_equally():
    sizer = Sizer(Config(capital_fraction=0.9), 3)
    assert sizer.exposure(1.0) == pytest.approx(0.3)
    assert sizer.exposure(-0.5) == pytest.approx(-0.15)


def test_fixed_sizing_stays_within_the_leverage():
    assert Sizer(Config(capital_fraction=3.0, max_leverage=2.0), 2).exposure(1.0) == 1.0


def test_volatility_sizing_gives_calm_instruments_more():
    sizer = Sizer(Config(method="volatility", volatility_target=0.2, max_leverage=2.0), 2)
    assert sizer.exposure(1.0, 0.4) == pytest.approx(0.25)
    assert sizer.exposure(1.0, 0.2) == pytest.approx(0.5)
    assert sizer.exposure(-1.0, 0.05) == -1.0  # the limit of this instrument: 2 / 2
    assert sizer.exposure(1.0, 0.0) == 1.0
    assert sizer.exposure(1.0, None) == 0.0


def test_an_exposure_is_cut_to_the_room_the_others_leave():
    sizer = Sizer(Config(max_leverage=1.0), 2)
    assert sizer.cut_to_room(0.5, 0.0, 0.7) == pytest.approx(0.3)
    assert sizer.cut_to_room(-0.5, 0.0, 0.7) == pytest.approx(-0.3)
    assert sizer.cut_to_room(0.5, 0.0, 1.2) == 0.0


def test_what_is_held_is_not_given_up_for_lack_of_room_but_turning_is_cut():
    sizer = Sizer(Config(max_leverage=1.0), 2)
    assert sizer.cut_to_room(0.5, 0.4, 0.7) == pytest.approx(0.4)
    assert sizer.cut_to_room(0.3, 0.4, 1.2) == pytest.approx(0.3)
    assert sizer.cut_to_room(-0.5, 0.4, 0.7) == pytest.approx(-0.3)
