import numpy as np

from triptych.models.tempered_filter import log_losses, tempered_filter, tempered_windows

MOVES = np.array([[0.9, 0.1], [0.2, 0.8]])
PRIOR = np.array([2.0, 1.0]) / 3.0


def evidence(n=300):
    return np.random.default_rng(0).normal(size=(n, 2))


def test_two_candles_by_hand():
    rows = np.log([[0.5, 0.25], [0.3, 0.6]])
    first = np.array([2 / 3 * 0.5, 1 / 3 * 0.25])
    first /= first.sum()  # 0.8, 0.2
    np.testing.assert_allclose(first, [0.8, 0.2])
    plain = (first @ MOVES) * [0.3, 0.6]  # 0.76 * .3, 0.24 * .6
    half = np.sqrt(first @ MOVES) * np.sqrt(PRIOR) * [0.3, 0.6]
    np.testing.assert_allclose(tempered_filter(rows, MOVES, PRIOR, 0.0), [first, plain / plain.sum()])
    np.testing.assert_allclose(tempered_filter(rows, MOVES, PRIOR, 0.5), [first, half / half.sum()])


def test_what_is_forgotten_at_once_leaves_each_candle_to_itself():
    rows = evidence()
    alone = PRIOR * np.exp(rows)
    np.testing.assert_allclose(tempered_filter(rows, MOVES, PRIOR, 1.0), alone / alone.sum(axis=1, keepdims=True))


def test_windows_are_the_filter_of_their_own_rows_and_nothing_else():
    rows = evidence()
    found = tempered_windows(rows, MOVES, PRIOR, 0.1, 40)
    assert np.isnan(found[:39]).all()
    for end in (39, 120, 299):
        np.testing.assert_array_equal(found[end], tempered_filter(rows[end - 39 : end + 1], MOVES, PRIOR, 0.1)[-1])
    assert np.isnan(tempered_windows(rows[:39], MOVES, PRIOR, 0.1, 40)).all()


def test_it_never_looks_ahead():
    rows = evidence()
    np.testing.assert_array_equal(
        tempered_filter(rows[:111], MOVES, PRIOR, 0.2), tempered_filter(rows, MOVES, PRIOR, 0.2)[:111]
    )


def test_a_state_without_a_share_is_never_told():
    found = tempered_filter(evidence(), MOVES, np.array([1.0, 0.0]), 0.3)
    np.testing.assert_array_equal(found, np.tile([1.0, 0.0], (300, 1)))


def test_losses_are_summed_where_the_state_is_known():
    rows, powers, forgetting = evidence(), np.array([0.3, 1.0]), np.array([0.0, 0.4])
    labels = np.where(np.arange(300) % 3 == 0, -1, np.arange(300) % 2)
    known = labels >= 0
    found = log_losses(rows, labels, MOVES, PRIOR, forgetting, powers)
    told = tempered_filter(0.3 * rows, MOVES, PRIOR, 0.4)
    assert found.shape == (2, 2)
    np.testing.assert_allclose(found[1, 0], -np.log(told[known, labels[known]]).sum())
