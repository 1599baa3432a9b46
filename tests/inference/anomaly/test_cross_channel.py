import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import ndtri

from triptych.inference.anomaly.cross_channel import KINDS, CrossChannel
from triptych.inference.anomaly.foretelling import Foretelling, cumulative, parts_of
from triptych.inference.anomaly.innovations import Innovations, calmed, lookback
from triptych.inference.anomaly.ranks import Ranks

LENGTH, FOCUS = 48, 16


def pair(n, *, seed=0, share=0.8):
    """float32 (n, 3): two channels with a common part, and one that wanders alone."""
    generator = np.random.default_rng(seed)
    common, own = generator.standard_normal((n, 1)), generator.standard_normal((n, 2))
    wander = np.zeros(n)
    for t in range(1, n):
        wander[t] = 0.95 * wander[t - 1] + generator.standard_normal()
    return np.column_stack([np.sqrt(share) * common + np.sqrt(1 - share) * own, wander / 3.2]).astype(np.float32)


@pytest.fixture(scope="module")
def cross():
    return CrossChannel.learn([pair(1500), pair(900, seed=1)], LENGTH, ("A", "B", "C"))


def windows_of(rows):
    return sliding_window_view(rows, LENGTH, axis=0).transpose(0, 2, 1)


def of(cross, rows, kind):
    return cross.evidence(windows_of(rows), FOCUS)[:, :, KINDS.index(kind)]


def test_normal_scores_are_those_of_a_normal_law_however_odd_a_channel_is():
    generator = np.random.default_rng(0)
    rows = np.column_stack([generator.standard_cauchy(20_000), generator.integers(0, 3, 20_000)])
    scores = Ranks.of(rows)(rows)
    np.testing.assert_allclose(np.quantile(scores[:, 0], [0.1, 0.5, 0.9]), ndtri([0.1, 0.5, 0.9]), atol=0.02)
    assert np.abs(scores).max() <= 3.29
    # Three values, a third each: the mean of the scores that each stands for.
    assert len(np.unique(scores[:, 1])) == 3
    np.testing.assert_allclose(np.unique(scores[:, 1])[1], 0.0, atol=0.03)
    assert Ranks.of(rows)(np.array([[1e9, -5.0]])).ravel().tolist() == [3.29, scores[:, 1].min()]


def test_innovations_of_a_channel_that_wanders_do_not():
    rows = pair(4000).astype(np.float64)
    made = Innovations.learn([rows[:2000]], 12)
    new = made(rows[2000:])
    assert new.shape == (1988, 3)
    np.testing.assert_allclose(new.std(axis=0), 1.0, atol=0.06)
    before = np.corrcoef(rows[2000:-1, 2], rows[2001:, 2])[0, 1]
    after = np.corrcoef(new[:-1, 2], new[1:, 2])[0, 1]
    assert before > 0.9
    assert abs(after) < 0.1


def test_a_wild_hour_is_calmed():
    rows = np.random.default_rng(0).standard_normal((600, 1))
    rows[200:400] *= 3.0
    calm = calmed(rows, 12)
    assert calm.shape == (588, 1)
    assert calm[220:380].std() / calm[:180].std() < 1.2


def test_a_channel_never_foretells_itself_and_what_is_left_is_what_it_should_be():
    rows = pair(20_000).astype(np.float64)
    made = Foretelling.learn(rows, [[1, 2], [0, 2], [0, 1]])
    assert np.diag(made.weights).tolist() == [0.0, 0.0, 0.0]
    # Correlation 0.8: 1 - 0.64 of the variance is left.
    np.testing.assert_allclose(made.left[:2], 0.36, atol=0.02)
    together = made.apart(rows).mean(axis=0)
    rows[:, 0] = np.random.default_rng(9).standard_normal(20_000)
    apart = made.apart(rows).mean(axis=0)
    np.testing.assert_allclose(together[0], 0.5 * np.log(0.36), atol=0.03)  # minus the mutual information
    assert apart[0] > 0.6
    np.testing.assert_allclose([together[2], apart[2]], 0.0, atol=0.01)


def test_without_others_nothing_is_foretold():
    made = Foretelling.learn(pair(500)[:, :1].astype(np.float64), [[]])
    np.testing.assert_allclose(made.apart(np.array([[5.0]])), 0.0, atol=1e-9)


def test_the_cumulative_sum_forgets_what_speaks_against_it_and_ends_at_eight_nats():
    ratios = np.array([[[-3.0], [1.0], [2.0], [-0.5]], [[5.0], [5.0], [5.0], [-1.0]]])
    assert cumulative(ratios).ravel().tolist() == [2.5, 7.0]


def test_the_first_word_of_a_name_is_the_part():
    assert parts_of(("BTC return", "BTC range", "ETH return")) == ["BTC", "BTC", "ETH"]
    assert parts_of(("channel 0", "channel 1")) == ["channel 0", "channel 1"]
    assert parts_of(("pressure", "flow")) == ["pressure", "flow"]


def test_channels_that_come_apart_show_within_some_rows_and_others_do_not(cross):
    rows = pair(400, seed=5)
    rows[300:, 0] = pair(400, seed=6)[300:, 0]
    found = of(cross, rows, "decoupling")
    ends = np.arange(LENGTH - 1, 400)
    assert (found[ends < 300].mean(axis=0) < 0.6).all()
    assert found[ends >= 315][:, :2].mean() > 6.0
    assert found[ends >= 315][:, 2].mean() < 0.6
    assert of(cross, rows, "parting")[ends >= 320][:, 0].mean() > 4.0


def test_a_rhythm_that_was_not_there_shows(cross):
    rows = pair(400, seed=5)
    rows[300:, 1] += 1.5 * np.sin(2 * np.pi * np.arange(100) / 4)
    found = of(cross, rows, "rhythm")
    ends = np.arange(LENGTH - 1, 400)
    assert found[ends >= 315][:, 1].mean() > 2.5 * found[ends < 300][:, 1].mean()


def test_an_outlier_surprises_and_is_not_hidden_by_the_clip(cross):
    rows = pair(LENGTH, seed=5)
    rows[-1, 0] = 15.0
    surprise = of(cross, rows, "surprise")[0]
    assert surprise[0] > 13.0
    assert abs(surprise[1]) < 5.0


def test_windows_that_slide_and_windows_alone_give_the_same_to_the_last_bit(cross):
    rows = pair(200, seed=7)
    sliding = cross.evidence(windows_of(rows), FOCUS)
    for i in (0, 57, 152):
        np.testing.assert_array_equal(cross.evidence(windows_of(rows)[i : i + 1].copy(), FOCUS)[0], sliding[i])
    np.testing.assert_array_equal(cross.evidence(windows_of(rows).copy(), FOCUS), sliding)


def test_arrays_hold_all_that_was_learnt(cross):
    again = CrossChannel.of_arrays(cross.arrays(), LENGTH)
    rows = windows_of(pair(100, seed=8))
    np.testing.assert_array_equal(again.evidence(rows, FOCUS), cross.evidence(rows, FOCUS))
    assert lookback(8) == 2
