import math

import pytest

from triptych.domain import Prediction
from triptych.trading import kelly
from triptych.trading.sizing import Config, Sizer

KELLY = kelly.Config(base_rates=(0.25, 0.5, 0.25), horizon=8, cost=0.001)


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
    assert sizer.exposure(1.0, None) == 0.0


@pytest.mark.parametrize("volatility", [0.0, math.nan, math.inf])
@pytest.mark.parametrize("method", ["volatility", "kelly"])
def test_nothing_is_staked_on_an_instrument_that_stands_still_or_whose_volatility_is_unknown(method, volatility):
    prediction = Prediction(symbol="A", time_ms=0, probability_sell=0.1, probability_hold=0.1, probability_buy=0.8)
    sizer = Sizer(Config(method=method, kelly=KELLY), 1)
    assert sizer.exposure(1.0, volatility, prediction) == 0.0
    assert sizer.exposure(1.0, 0.05, prediction) > 0.0


def test_nothing_is_staked_on_a_prediction_that_is_no_number():
    broken = Prediction(symbol="A", time_ms=0, probability_sell=math.nan, probability_hold=0.3, probability_buy=0.6)
    assert Sizer(Config(method="kelly", kelly=KELLY), 1).exposure(1.0, 0.05, broken) == 0.0


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
