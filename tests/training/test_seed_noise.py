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


@pytest.mark.parametrize(
    ("seeds", "of_seed", "least", "greatest"),
    [(2, 0.0, 0.96, 1.0), (5, 0.0, 0.96, 1.0), (2, 4.0, 0.85, 0.91), (5, 4.0, 0.92, 0.97)],
)
def test_how_often_it_holds_the_truth_is_as_told(seeds, of_seed, least, greatest):
    """What seeds do at single times is counted twice; two seeds that differ much tell their variance too badly."""
    random, held = np.random.default_rng(0), 0
    at_single_times = 0.0 if of_seed else 3.0
    for _ in range(1000):
        table = random.normal(0, 1, (1, 40)) + at_single_times * random.normal(0, 1, (seeds, 40))
        table += of_seed / 40**0.5 * random.normal(0, 1, (seeds, 1))
        sampled = Sampled(error=table.mean(axis=0).std(ddof=1) / 40**0.5, degrees=39)
        found = over_seeds(table.mean(axis=1).tolist(), sampled, 0.95)
        held += found.low <= 0.0 <= found.high
    assert least <= held / 1000 <= greatest


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
