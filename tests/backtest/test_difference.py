import numpy as np
import pytest

from triptych.backtest.difference import EquityCurve, growth_in_common, return_difference

HOW = {"minimum_block": 4, "replicates": 400, "seed": 0}


def curve(returns, *, first=0, step=1):
    times = (first + step * np.arange(len(returns) + 1)).astype(np.int64)
    return EquityCurve(time_ms=times, equity=1000.0 * np.cumprod([1.0, *(1.0 + returns)]), initial_capital=1000.0)


def returns(n=600, seed=0, drift=0.0, scale=0.01):
    return np.random.default_rng(seed).normal(drift, scale, n)


def test_the_difference_is_that_of_the_two_returns_in_points_of_the_capital():
    ours, theirs = curve(returns(seed=1)), curve(returns(seed=2))
    found = return_difference(*growth_in_common([ours, theirs]), **HOW)
    assert found.ours == pytest.approx(ours.equity[-1] / 1000 - 1)
    assert found.theirs == pytest.approx(theirs.equity[-1] / 1000 - 1)
    assert found.value == pytest.approx(found.ours - found.theirs)
    assert found.low < found.value < found.high
    assert found.candles == 600


def test_what_moves_both_alike_is_no_part_of_the_interval():
    market, edge = returns(scale=0.02), returns(seed=3, drift=0.001, scale=0.001)
    paired = return_difference(*growth_in_common([curve(market + edge), curve(market)]), **HOW)
    apart = return_difference(*growth_in_common([curve(returns(seed=9, scale=0.02) + edge), curve(market)]), **HOW)
    assert paired.low > 0
    assert apart.low < 0 < apart.high
    assert paired.high - paired.low < 0.2 * (apart.high - apart.low)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    held = 0
    for seed in range(200):
        noise = returns(n=301, seed=seed)
        dependent = noise[1:] + 0.8 * noise[:-1]  # neighbours move together
        ours, theirs = dependent + returns(n=300, seed=1000 + seed), np.zeros(300)
        found = return_difference(ours, theirs, **HOW)
        held += found.low <= 0.0 <= found.high
    assert 0.91 <= held / 200 <= 0.99


def test_curves_are_held_against_each_other_over_the_time_that_both_have():
    theirs, late = returns(seed=1), returns(n=500, seed=2)
    found = return_difference(*growth_in_common([curve(late, first=100), curve(theirs)]), **HOW)
    assert found.candles == 500
    assert found.theirs == pytest.approx(np.prod(1 + theirs[100:]) - 1)
    longer = curve(returns(n=150, seed=3), step=4)
    found = return_difference(*growth_in_common([longer, curve(theirs)]), **HOW)
    assert found.candles == 150
    assert found.theirs == pytest.approx(np.prod(1 + theirs) - 1)
    assert growth_in_common([curve(theirs), curve(late, first=595)]) is None


def test_the_same_curve_has_a_difference_of_nothing_and_no_interval():
    one = curve(returns())
    found = return_difference(*growth_in_common([one, one]), **HOW)
    assert (found.value, found.low, found.high) == (0.0, None, None)


def test_ruin_is_a_loss_of_all():
    ruined = returns(seed=1)
    ruined[300] = -1.5
    found = return_difference(*growth_in_common([curve(ruined), curve(returns(seed=2))]), **HOW)
    assert found.ours == pytest.approx(-1.0)
    assert found.value == pytest.approx(-1.0 - found.theirs)
    assert np.isfinite([found.low, found.high]).all()
