import numpy as np
import pytest
from tests.fakes.market import series_of, walk

from triptych.inference.regime import regime_features, regime_over


def closes(*prices):
    prices = np.array(prices, dtype=np.float64)
    return np.stack([prices, prices, prices, prices, np.ones_like(prices)], axis=1)


def test_a_straight_rise_has_the_trend_of_the_root_of_its_length_and_no_change_of_volatility():
    window = closes(*np.exp(0.01 * np.arange(9)))
    assert regime_features(window[None])[0].tolist() == pytest.approx([0.0, np.sqrt(8)])


def test_the_last_quarter_is_held_against_the_whole():
    # returns: six of 0.01, two of 0.04: mean of squares 0.0004750, of the last two 0.0016
    returns = np.array([0.01, -0.01] * 3 + [0.04, -0.04])
    window = closes(*np.exp(np.concatenate([[0.0], np.cumsum(returns)])))
    assert regime_features(window[None])[0, 0] == pytest.approx(0.5 * np.log(0.0016 / 0.000475))


def test_a_price_that_never_moves_is_quiet():
    assert regime_features(closes(*[5.0] * 9)[None])[0].tolist() == [0.0, 0.0]


def test_over_a_history_it_is_unknown_at_first_and_looks_back_only():
    series = walk(200, seed=1)
    ends = np.arange(200)
    found = regime_over(series, ends, 16)
    assert np.isnan(found[:16]).all()
    assert np.isfinite(found[16:]).all()
    np.testing.assert_array_equal(regime_over(series.head(120), np.arange(120), 16), found[:120])
    values = series.values.copy()
    values[120:] = values[120:][::-1]
    np.testing.assert_array_equal(regime_over(series_of(values), np.arange(120), 16), found[:120])
