import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.features.normalisation import rolling_scores


def naive(rows, window, clip):
    scores = np.full(rows.shape, np.nan)
    for t in range(window - 1, len(rows)):
        part = rows[t - window + 1 : t + 1] - rows[t]
        scores[t] = np.clip((0.0 - part.mean(axis=0)) / np.sqrt(part.var(axis=0) + 1e-16), -clip, clip)
    return scores


def test_scores_of_four_values():
    # windows (1, 2, 6) and (2, 6, 1): means 3 and 3, deviations sqrt(14 / 3)
    scores = rolling_scores(np.array([[1.0], [2.0], [6.0], [1.0]]), 3, 4.0)[:, 0]
    np.testing.assert_allclose(scores, [np.nan, np.nan, 3.0 / np.sqrt(14.0 / 3.0), -2.0 / np.sqrt(14.0 / 3.0)])


@given(
    n=st.integers(1, 90),
    columns=st.integers(1, 5),
    window=st.integers(2, 40),
    level=st.sampled_from([0.0, 1.0, -1e5]),
    seed=st.integers(0, 99),
)
@settings(deadline=None)
def test_scores_equal_those_of_each_window_by_itself(n, columns, window, level, seed):
    rows = level + np.random.default_rng(seed).normal(size=(n, columns))
    np.testing.assert_allclose(rolling_scores(rows, window, 2.0), naive(rows, window, 2.0), rtol=0, atol=1e-9)


def test_tiny_moves_of_a_large_price_keep_their_scores():
    moves = np.random.default_rng(0).integers(-5, 6, 3000)
    # A price of 2^17 = 131,072 that moves by 2^-20, so that both histories hold the same moves exactly.
    level, small = (rolling_scores(x[:, None], 640, 4.0) for x in (2.0**17 + moves * 2.0**-20, moves * 2.0**-20))
    np.testing.assert_allclose(level, small, rtol=0, atol=1e-9)


def test_a_level_that_was_left_leaves_nothing_behind():
    rng = np.random.default_rng(1)
    quiet = rng.normal(0.0, 1e-3, (1200, 1))
    jumped = quiet.copy()
    jumped[:500] += 1e6
    np.testing.assert_allclose(
        rolling_scores(jumped, 100, 4.0)[600:], rolling_scores(quiet, 100, 4.0)[600:], rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("level", [0.0, 0.1, -123456.789])
def test_a_constant_column_scores_nothing(level):
    assert np.abs(rolling_scores(np.full((50, 2), level), 20, 4.0)[19:]).max() == 0.0


def test_rounding_of_a_constant_is_no_movement():
    noise = 1.0 + 2.2e-16 * np.random.default_rng(2).integers(-2, 3, (200, 1))
    assert np.abs(rolling_scores(noise, 50, 4.0)[49:]).max() < 1e-6


def test_scores_are_cut():
    rows = np.zeros((100, 1))
    rows[-1] = 1.0
    assert rolling_scores(rows, 100, 4.0)[-1, 0] == 4.0
    assert rolling_scores(-rows, 100, 3.0)[-1, 0] == -3.0


def test_columns_do_not_touch_one_another():
    rows = np.random.default_rng(3).normal(size=(300, 7))
    together = rolling_scores(rows, 50, 4.0)
    for column in range(7):
        np.testing.assert_array_equal(rolling_scores(rows[:, column : column + 1], 50, 4.0)[:, 0], together[:, column])


def test_fewer_rows_than_the_window_are_all_unknown():
    assert np.isnan(rolling_scores(np.ones((5, 2)), 6, 4.0)).all()
