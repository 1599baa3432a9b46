import numpy as np
import pytest
from scipy.stats import genpareto

from triptych.inference.anomaly.tails import ConformalTail, RollingTail, SpotTail


@pytest.mark.parametrize("n", [40, 200])
def test_the_next_score_exceeds_a_rolling_quantile_as_often_as_asked_however_short_the_window(n):
    generator = np.random.default_rng(5)
    draws = generator.exponential(size=(20_000, n + 1))
    limits = np.array([RollingTail(n, one[:n]).value(0.05) for one in draws])
    assert (draws[:, n] > limits).mean() == pytest.approx(0.05, abs=0.005)


def test_a_rolling_quantile_that_no_window_holds_is_its_highest_score():
    assert RollingTail(50, np.arange(50.0)).value(0.001) == 49.0


def test_old_scores_are_forgotten():
    tail = RollingTail(3, np.array([9.0, 1.0, 2.0]))
    tail.push(3.0)
    assert tail.value(0.001) == 3.0


def test_the_conformal_one_is_the_smallest_score_with_so_small_a_p_value():
    assert ConformalTail(99, np.arange(99.0)).value(0.05) == 94.0


def test_peaks_follow_the_fitted_law_at_any_share():
    scores = np.random.default_rng(6).standard_t(4, size=2000) ** 2
    tail = SpotTail(2000, scores, usual=0.01, level=0.95)
    base = np.quantile(scores, 0.95)
    peaks = scores[scores > base] - base
    shape, _, scale = genpareto.fit(peaks, floc=0.0)
    for share in (0.01, 0.0025):
        wanted = base + genpareto.isf(share * 2000 / len(peaks), min(shape, 0.5), scale=scale)
        assert tail.value(share) == pytest.approx(wanted)
    assert tail.value(0.2) == np.quantile(scores, 0.8)
