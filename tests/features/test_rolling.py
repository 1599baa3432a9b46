import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.features import _rolling as rolling

NAN = np.nan


def test_lag_is_the_value_of_n_candles_ago():
    np.testing.assert_array_equal(rolling.lag(np.array([1.0, 2.0, 3.0, 4.0]), 2), [NAN, NAN, 1.0, 2.0])
    np.testing.assert_array_equal(rolling.lag(np.array([1.0]), 3), [NAN])


def test_a_sum_holds_its_window_and_a_mean_divides_it():
    x = np.array([1.0, 2.0, 4.0, 8.0])
    np.testing.assert_array_equal(rolling.rolling_sum(x, 3), [NAN, NAN, 7.0, 14.0])
    np.testing.assert_array_equal(rolling.rolling_mean(x, 2), [NAN, 1.5, 3.0, 6.0])
    np.testing.assert_array_equal(rolling.rolling_sum(x, 5), [NAN] * 4)


def test_nothing_is_left_of_a_spike_once_it_has_left_the_window():
    x = np.zeros(400)
    x[3] = 1e17 / 3.0
    assert rolling.rolling_sum(x, 20)[23:].tolist() == [0.0] * 377
    assert rolling.ema(x, 12)[3 + rolling.ema_memory(12) :].max() == 0.0
    assert rolling.ema(x, 12)[2 + rolling.ema_memory(12)] > 0.0


def test_an_unknown_first_value_delays_a_window_and_no_more():
    x = np.array([NAN, 1.0, 2.0, 4.0])
    np.testing.assert_array_equal(rolling.rolling_sum(x, 2), [NAN, NAN, 3.0, 6.0])
    np.testing.assert_array_equal(rolling.rolling_deviation(x, 2), [NAN, NAN, 0.5, 1.0])


def test_a_weighted_mean_weighs_the_newest_most():
    # (1 x 1 + 2 x 2 + 3 x 6) / 6
    np.testing.assert_allclose(rolling.weighted_mean(np.array([1.0, 2.0, 6.0]), 3), [NAN, NAN, 23.0 / 6.0])


def test_the_slope_of_a_line_is_its_slope():
    np.testing.assert_allclose(rolling.slope(7.0 - 0.25 * np.arange(6), 4), [NAN, NAN, NAN, -0.25, -0.25, -0.25])


def test_deviations_of_three_values():
    x = np.array([1.0, 2.0, 6.0])
    assert rolling.rolling_deviation(x, 3)[2] == pytest.approx(np.sqrt(14.0 / 3.0))
    assert rolling.mean_absolute_deviation(x, 3)[2] == pytest.approx(2.0)


def test_a_deviation_of_small_moves_at_a_high_level_is_not_lost():
    x = 1e9 + np.array([0.0, 1e-3, 0.0, 1e-3])
    assert rolling.rolling_deviation(x, 4)[3] == pytest.approx(5e-4, rel=1e-3)


def test_an_exponential_mean_by_hand():
    # alpha = 1/2: (0 x 2 + 8 x 1) / 3, then (4 x 4 + 0 x 2 + 8 x 1) / 7
    known = rolling.exponential_mean(np.array([NAN, 8.0, 0.0, 4.0]), 0.5, 2)
    np.testing.assert_allclose(known, [NAN, NAN, 8.0 / 3.0, 24.0 / 7.0])


@given(
    n=st.integers(1, 300),
    alpha=st.floats(0.2, 0.9),
    seed=st.integers(0, 99),
    unknown=st.integers(0, 5),
)
def test_an_exponential_mean_equals_the_weighted_sum_over_its_memory(n, alpha, seed, unknown):
    x = np.random.default_rng(seed).normal(size=n)
    x[:unknown] = NAN
    length = rolling.memory(alpha)
    expected = np.full(n, NAN)
    for t in range(unknown + 2, n):
        window = x[max(unknown, t - length + 1) : t + 1][::-1]
        weights = (1.0 - alpha) ** np.arange(len(window))
        expected[t] = window @ weights / weights.sum()
    np.testing.assert_allclose(rolling.exponential_mean(x, alpha, 3), expected, rtol=1e-9, atol=1e-12)


def test_how_long_an_exponential_mean_remembers():
    assert rolling.ema_memory(12) == 125
    assert rolling.ema_memory(26) == 270
    assert rolling.wilder_memory(14) == 280
    assert (25.0 / 27.0) ** 270 < 1e-9 < (25.0 / 27.0) ** 269


def test_a_ratio_is_neutral_where_the_whole_is_nothing():
    part, whole = np.array([1.0, 0.0, 3.0, NAN]), np.array([2.0, 0.0, 1e-15, 1.0])
    np.testing.assert_array_equal(rolling.ratio(part, whole, least=1e-12, neutral=0.5), [0.5, 0.5, 0.5, NAN])
