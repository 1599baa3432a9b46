import numpy as np
import pytest
from scipy import stats

from triptych.training.seed_noise import Sampled, over_seeds


def test_the_interval_holds_the_truth_when_both_the_test_and_training_move_the_figure():
    random = np.random.default_rng(0)
    both = sampling_only = 0
    for _ in range(600):
        test = random.normal(0, 1.0, (1, 40))  # what every seed meets at each of 40 blocks of time
        table = random.normal(0, 0.2, (3, 1)) + test + random.normal(0, 0.5, (3, 40))
        mean_by_block = table.mean(axis=0)
        sampled = Sampled(error=mean_by_block.std(ddof=1) / 40**0.5, degrees=39)
        found = over_seeds(table.mean(axis=1).tolist(), sampled, 0.95)
        both += found.low <= 0.0 <= found.high
        sampling_only += abs(mean_by_block.mean()) <= stats.t.ppf(0.975, 39) * sampled.error
    assert 0.93 <= both / 600 <= 0.99
    assert sampling_only / 600 < 0.92


def test_each_noise_alone_gives_students_interval():
    found = over_seeds([0.1, 0.1, 0.1], Sampled(error=0.02, degrees=20), 0.95)
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, 20) * 0.02)
    found = over_seeds([0.0, 0.1, 0.2], Sampled(error=0.0, degrees=20), 0.95)
    assert found.value == pytest.approx(0.1)
    assert found.value - found.low == pytest.approx(stats.t.ppf(0.975, 2) * 0.1 / 3**0.5)


def test_one_seed_says_nothing_of_training_and_the_interval_stays_within_what_can_be():
    found = over_seeds([0.1], Sampled(error=0.02, degrees=20), 0.95)
    assert found.value == 0.1
    assert np.isnan(found.low)
    assert np.isnan(found.high)
    found = over_seeds([0.9, -0.9], Sampled(error=0.02, degrees=20), 0.95, (-1.0, 1.0))
    assert (found.low, found.high) == (-1.0, 1.0)
