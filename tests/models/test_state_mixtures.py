import numpy as np
import pytest
from scipy.stats import multivariate_normal

from triptych.models.state_mixtures import LEAST_SPREAD, StateMixtures

ANCHORS = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 5.0]])


def drawn(n=3000, seed=0):
    """Two states: the first of two clusters, the second correlated; the third is never seen."""
    rng = np.random.default_rng(seed)
    state = rng.integers(0, 2, n)
    side = np.where(rng.uniform(size=n) < 0.3, -2.0, 1.0)
    first = np.column_stack([side, np.zeros(n)]) + rng.normal(0.0, 0.4, (n, 2))
    second = rng.multivariate_normal([3.0, 1.0], [[1.0, 0.8], [0.8, 1.0]], n)
    return np.where(state[:, None] == 0, first, second), state


def test_a_state_seen_often_has_two_gaussians_and_one_seen_seldom_is_drawn_to_its_anchor():
    x, state = drawn()
    fitted = StateMixtures.fit(x, state, ANCHORS, 48, 480)
    np.testing.assert_allclose(np.sort(fitted.weight[0]), [0.3, 0.7], atol=0.03)
    np.testing.assert_allclose(np.sort(fitted.mean[0, :, 0]), [-2.0, 1.0], atol=0.06)
    assert fitted.weight[2].tolist() == [1.0, 0.0]
    np.testing.assert_array_equal(fitted.mean[2, 0], ANCHORS[2])
    few = StateMixtures.fit(x[:96], state[:96], ANCHORS, 48, 480)
    n = int((state[:96] == 1).sum())
    expected = (x[:96][state[:96] == 1].sum(axis=0) + 48 * ANCHORS[1]) / (n + 48)
    np.testing.assert_allclose(few.mean[1, 0], expected)


def test_densities_are_those_of_scipy():
    x, state = drawn(600)
    fitted = StateMixtures.fit(x, state, ANCHORS, 48, 100)
    expected = np.zeros((600, 3))
    for k, j in np.argwhere(fitted.weight > 0):
        expected[:, k] += fitted.weight[k, j] * multivariate_normal(fitted.mean[k, j], fitted.covariance[k, j]).pdf(x)
    np.testing.assert_allclose(np.exp(fitted.log_density(x)), expected, rtol=1e-9, atol=1e-300)


def test_a_column_that_never_moves_tells_no_state_from_another_even_if_it_moves_later():
    x, state = drawn(1200)
    flat = np.column_stack([x, np.zeros(1200)])
    fitted = StateMixtures.fit(flat, state, np.column_stack([ANCHORS, np.zeros(3)]), 48, 480)
    moved = flat.copy()
    moved[:, 2] = 1.5
    apart = [fitted.log_density(one)[:, :2] @ np.array([1.0, -1.0]) for one in (flat, moved)]
    np.testing.assert_allclose(*apart, atol=1e-6)
    assert fitted.covariance[0, 0, 2, 2] == pytest.approx(LEAST_SPREAD)


def test_the_same_observations_give_the_same_densities_and_they_can_be_written_down():
    x, state = drawn(1200)
    one, other = (StateMixtures.fit(x, state, ANCHORS, 48, 480) for _ in range(2))
    assert one.as_dict() == other.as_dict()
    again = StateMixtures.from_dict(one.as_dict())
    np.testing.assert_array_equal(again.log_density(x), one.log_density(x))
