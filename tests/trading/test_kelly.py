import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from triptych.domain import Prediction
from triptych.domain.errors import OrderError
from triptych.trading.kelly import Config, kelly_share, stake
from triptych.trading.sizing import Config as SizingConfig
from triptych.trading.sizing import Sizer

ALIKE = (1 / 3, 1 / 3, 1 / 3)


def said(sell, hold, buy):
    return Prediction(symbol="ABC", time_ms=0, probability_sell=sell, probability_hold=hold, probability_buy=buy)


def test_a_fair_coin_that_lands_right_six_times_in_ten_is_worth_a_fifth():
    assert kelly_share(right=0.6, wrong=0.4, gain=1.0, loss=1.0, cost=0.0) == pytest.approx(0.2)


def test_costs_make_gains_smaller_and_losses_larger():
    # 0.6 / 0.011 - 0.4 / 0.019
    assert kelly_share(right=0.6, wrong=0.4, gain=0.02, loss=0.01, cost=0.001) == pytest.approx(33.4928229665)


def test_an_edge_that_does_not_cover_the_costs_is_worth_nothing():
    # 0.52 * 0.009 - 0.48 * 0.011 = -0.0006
    assert kelly_share(right=0.52, wrong=0.48, gain=0.01, loss=0.01, cost=0.001) == 0.0
    assert kelly_share(right=0.9, wrong=0.0, gain=0.01, loss=0.01, cost=0.01) == 0.0


def test_never_more_is_staked_than_a_loss_would_wipe_out():
    assert kelly_share(right=0.5, wrong=0.0, gain=0.01, loss=0.01, cost=0.0) == pytest.approx(100.0)


@given(
    right=st.floats(0.3, 0.8),
    rest=st.floats(0.1, 0.9),
    gain=st.floats(0.01, 0.2),
    loss=st.floats(0.01, 0.2),
    cost=st.floats(0.0, 0.005),
)
def test_no_other_share_lets_the_equity_grow_faster(right, rest, gain, loss, cost):
    wrong = (1 - right) * rest

    def growth(share):
        outcomes = ((right, gain - cost), (wrong, -loss - cost), (1 - right - wrong, -cost))
        return sum(p * math.log1p(share * r) for p, r in outcomes)

    best = kelly_share(right=right, wrong=wrong, gain=gain, loss=loss, cost=cost)
    most = 0.999 / (loss + cost)
    assert 0 <= best <= 1 / (loss + cost)
    for other in np.linspace(0, most, 25):
        assert growth(best) >= growth(other) - 1e-9


def test_the_stake_is_a_fraction_of_the_share_of_probabilities_drawn_to_the_base_rates():
    # Half-way to 1/3: buy 0.46667, sell 0.26667. The move is 0.1 * sqrt(4) = 0.2. Of share f, x = 0.2 f solves
    # 0.46667 (1 - x) = 0.26667 (1 + x): x = 0.2 / 0.73333, f = 1.3636364, a quarter of it 0.3409091.
    config = Config(fraction=0.25, shrinkage=0.5, horizon=4, cost=0.0, base_rates=ALIKE)
    assert stake(config, said(0.2, 0.2, 0.6), 1, 0.1) == pytest.approx(0.3409090909)
    assert stake(config, said(0.6, 0.2, 0.2), -1, 0.1) == pytest.approx(0.3409090909)
    assert stake(config, said(0.2, 0.2, 0.6), -1, 0.1) == 0.0
    assert stake(config, said(0.2, 0.2, 0.6), 1, 0.001) == 1.0  # the cap


def test_who_is_not_believed_stakes_nothing():
    assert stake(Config(shrinkage=1.0, horizon=8, cost=0.0, base_rates=ALIKE), said(0.0, 0.0, 1.0), 1, 0.1) == 0.0


def test_base_rates_must_be_probabilities():
    with pytest.raises(ValidationError, match=r"base_rates must be three probabilities with sum 1, were"):
        Config(base_rates=(0.5, 0.5, 0.5))


def test_the_sizer_shares_the_stake_among_the_instruments_and_needs_prediction_and_volatility():
    kelly = Config(fraction=0.25, shrinkage=0.5, horizon=4, cost=0.0, base_rates=ALIKE)
    sizer = Sizer(SizingConfig(method="kelly", kelly=kelly), 2)
    assert (sizer.needs_volatility, sizer.needs_prediction) == ("candle", True)
    assert sizer.exposure(1.0, 0.1, said(0.2, 0.2, 0.6)) == pytest.approx(0.3409090909 / 2)
    assert sizer.exposure(-0.5, 0.1, said(0.6, 0.2, 0.2)) == pytest.approx(-0.3409090909 / 4)
    assert sizer.exposure(1.0, 0.0001, said(0.2, 0.2, 0.6)) == 0.5  # the instrument's part of the leverage
    assert sizer.exposure(1.0, 0.1, None) == 0.0
    assert sizer.exposure(1.0, None, said(0.2, 0.2, 0.6)) == 0.0
    assert sizer.exposure(1.0, 0.0, said(0.2, 0.2, 0.6)) == 0.0


def test_what_the_config_does_not_say_is_asked_for_and_never_guessed():
    config = Config(horizon=8)
    assert config.missing == ("base_rates", "cost")
    for ask in (
        lambda: stake(config, said(0.2, 0.2, 0.6), 1, 0.1),
        lambda: Sizer(SizingConfig(method="kelly", kelly=config), 1),
    ):
        with pytest.raises(OrderError) as caught:
            ask()
        assert str(caught.value) == (
            "Sizing by Kelly does not know its base_rates, cost. "
            "Set them in sizing.kelly; runs fill them in from their recipe and training."
        )
    assert Sizer(SizingConfig(kelly=config), 1).exposure(1.0) == 0.99  # another method does not care
