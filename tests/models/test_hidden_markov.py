import numpy as np
import pytest

from triptych.domain.errors import DataError, NotEnoughData
from triptych.models.hidden_markov import Config, GaussianHmm

TWO = GaussianHmm(
    start=np.array([0.5, 0.5]),
    transition=np.array([[0.9, 0.1], [0.2, 0.8]]),
    mean=np.array([[0.0], [1.0]]),
    variance=np.array([[1.0], [1.0]]),
)


def sample(n=3000, seed=0):
    """Two states: calm, and wild with a falling mean."""
    rng = np.random.default_rng(seed)
    state = np.zeros(n, dtype=int)
    for t in range(1, n):
        state[t] = 1 - state[t - 1] if rng.uniform() < (0.02, 0.05)[state[t - 1]] else state[t - 1]
    spread = np.array([0.5, 2.0])[state]
    x = np.column_stack(
        [rng.normal(np.array([0.1, -0.3])[state], spread), rng.normal(np.array([0.0, 3.0])[state], 1.0)]
    )
    return x, state


def test_two_steps_of_the_filter_by_hand():
    # With likelihoods 1 and 3, then 1 and 1: (.25, .75), then (.25*.9 + .75*.2, .25*.1 + .75*.8).
    found = TWO.filter_with(np.log(np.array([[1.0, 3.0], [1.0, 1.0]])))
    np.testing.assert_allclose(found, [[0.25, 0.75], [0.375, 0.625]], rtol=1e-12)


def test_the_likelihood_of_one_observation_is_that_of_the_mixture():
    density = 0.5 * (np.exp(-0.125) + np.exp(-0.125)) / np.sqrt(2 * np.pi)
    assert TWO.score(np.array([[0.5]])) == pytest.approx(np.log(density))


def test_the_filter_never_looks_ahead():
    x, _ = sample(400)
    model = GaussianHmm.fit(x[:300], Config(states=2))
    whole = model.filter(x)
    for cut in (1, 7, 150, 399):
        np.testing.assert_array_equal(model.filter(x[:cut]), whole[:cut])


def test_smoothing_looks_ahead_and_is_therefore_another_thing():
    x = np.array([[0.2], [0.6], [3.0], [3.0]])
    assert TWO.smooth(x)[1, 1] > TWO.filter(x)[1, 1] + 0.1
    np.testing.assert_allclose(TWO.smooth(x)[-1], TWO.filter(x)[-1], rtol=1e-12)


def test_baum_and_welch_never_lower_the_likelihood():
    x, _ = sample()
    history = GaussianHmm.fit(x, Config(states=3, iterations=25, tolerance=0.0)).log_likelihood
    assert (np.diff(history) > -1e-6).all()


def test_the_states_of_a_made_series_are_found_again():
    x, state = sample(6000)
    model = GaussianHmm.fit(x[:4000], Config(states=2))
    assert model.variance[0, 0] < model.variance[1, 0]
    assert model.transition[0, 1] == pytest.approx(0.02, abs=0.012)
    assert model.transition[1, 0] == pytest.approx(0.05, abs=0.02)
    assert model.mean[1, 1] == pytest.approx(3.0, abs=0.2)
    assert (model.filter(x[4000:]).argmax(axis=1) == state[4000:]).mean() > 0.95
    assert model.expected_duration[0] == pytest.approx(50.0, rel=0.5)


def test_the_tail_of_a_lasting_state_is_not_taken_for_a_state():
    # Logarithms of sizes are skewed: begun by size alone, Baum and Welch end in states that last two or three candles.
    rng = np.random.default_rng(101)
    state = (np.arange(9000) // 300) % 3
    x = np.log(np.abs(np.array([0.7, 1.2, 2.2])[state] * rng.standard_t(5, 9000)) + 0.1)[:, None]
    model = GaussianHmm.fit(x, Config(states=3))
    assert (np.diag(model.transition) > 0.98).all()
    assert np.sort(model.mean[:, 0]) == pytest.approx([x[state == k].mean() for k in range(3)], abs=0.1)


def test_probabilities_sum_to_one():
    x, _ = sample(300)
    model = GaussianHmm.fit(x, Config(states=3))
    np.testing.assert_allclose(model.filter(x).sum(axis=1), 1.0)
    np.testing.assert_allclose(model.predict_next(model.filter(x)).sum(axis=1), 1.0)
    np.testing.assert_allclose(model.transition.sum(axis=1), 1.0)


def test_an_observation_far_from_every_state_leaves_no_nan():
    assert np.isfinite(TWO.filter(np.array([[0.0], [1e6], [0.0]]))).all()


def test_it_can_be_written_down_and_read_again():
    x, _ = sample(300)
    model = GaussianHmm.fit(x, Config(states=2))
    np.testing.assert_array_equal(GaussianHmm.from_dict(model.as_dict()).filter(x), model.filter(x))


def test_likelihood_and_smoothing_equal_those_of_hmmlearn():
    hmm = pytest.importorskip("hmmlearn.hmm")
    x, _ = sample(500)
    model = GaussianHmm.fit(x, Config(states=2))
    peer = hmm.GaussianHMM(2, covariance_type="diag")
    peer.startprob_, peer.transmat_ = model.start, model.transition
    peer.means_, peer.covars_ = model.mean, model.variance
    assert model.score(x) == pytest.approx(peer.score(x), abs=1e-6)
    np.testing.assert_allclose(model.smooth(x), peer.predict_proba(x), atol=1e-6)


def test_too_few_observations_are_refused():
    with pytest.raises(NotEnoughData) as refused:
        GaussianHmm.fit(np.zeros((15, 1)), Config(states=2))
    assert str(refused.value) == "15 observations are too few for 2 states. Bring at least 10 for each state."


def test_nan_is_refused():
    with pytest.raises(DataError) as refused:
        TWO.filter(np.array([[np.nan]]))
    assert str(refused.value) == (
        "A hidden Markov model takes finite observations of shape (n, columns). "
        "Leave out the first rows, in which factors are not known yet."
    )


def test_a_history_that_begins_in_a_state_in_which_training_never_began_is_filtered():
    rng = np.random.default_rng(0)
    x = np.r_[rng.normal(0.0, 1.0, (1000, 1)), rng.normal(60.0, 1.0, (1000, 1))]
    model = GaussianHmm.fit(x, Config(states=2))
    assert model.start.min() > 0
    found = model.filter(x[1000:])
    assert np.isfinite(found).all()
    assert (found.argmax(axis=1) == int(model.mean[:, 0].argmax())).all()


def test_probabilities_some_candles_on_approach_the_long_run():
    np.testing.assert_allclose(TWO.predict_next(np.array([1.0, 0.0])), [0.9, 0.1])
    np.testing.assert_allclose(TWO.predict_next(np.array([1.0, 0.0]), 2), [0.83, 0.17])
    np.testing.assert_allclose(TWO.predict_next(np.array([1.0, 0.0]), 200), TWO.stationary, atol=1e-9)


def test_a_state_that_is_never_entered_lasts_no_time_that_could_be_named():
    never = GaussianHmm(
        start=np.array([0.5, 0.5, 0.0]),
        transition=np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.5, 0.5, 0.0]]),
        mean=np.zeros((3, 1)),
        variance=np.ones((3, 1)),
    )
    np.testing.assert_allclose(never.expected_duration, [10.0, 5.0, np.nan])
