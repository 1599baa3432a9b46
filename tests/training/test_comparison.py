import numpy as np
import pytest

from triptych.training.comparison import only_said, skill_difference
from triptych.training.evaluation import Config
from triptych.training.samples import Samples

CONFIG = Config(resamples=400)


def samples(n=600, horizon=4, seed=0) -> Samples:
    label = np.random.default_rng(seed).integers(0, 3, n)
    time = np.arange(n, dtype=np.int64) * 60_000
    return Samples(
        instrument=np.zeros(n, dtype=np.int64), index=np.arange(n), label=label, time_ms=time,
        end_ms=time + horizon * 60_000, uniqueness=np.full(n, 1 / horizon),
    )  # fmt: skip


def guesses(test, share, seed):
    """Right in `share` of the cases, elsewhere at random."""
    random = np.random.default_rng(seed)
    guess = np.where(random.random(len(test)) < share, test.label, random.integers(0, 3, len(test)))
    return np.eye(3)[guess]


def test_two_equal_models_differ_by_nothing_and_for_certain():
    test = samples()
    same = guesses(test, 0.3, 1)
    assert skill_difference(same, same, test, CONFIG, 0) == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_a_better_model_is_told_from_a_worse_one_and_the_sign_is_the_first_ones():
    test = samples()
    good, bad = guesses(test, 0.5, 1), guesses(test, 0.0, 2)
    found, turned = skill_difference(good, bad, test, CONFIG, 0), skill_difference(bad, good, test, CONFIG, 0)
    assert 0.2 < found["low"] < found["value"] < found["high"] < 0.8
    assert turned["value"] == -found["value"]


def test_a_pair_that_errs_together_is_compared_more_sharply_than_one_that_does_not():
    test = samples(2000)
    base = guesses(test, 0.3, 1)
    near = base.copy()
    near[:60] = np.eye(3)[test.label[:60]]
    far = guesses(test, 0.33, 2)
    close, loose = (skill_difference(other, base, test, CONFIG, 0) for other in (near, far))
    assert close["high"] - close["low"] < 0.5 * (loose["high"] - loose["low"])


@pytest.mark.parametrize(
    ("classes", "only"), [([1, 1, 1, 1], "hold"), ([0, 0, 2, 2], "sell or buy"), ([1, 1, 1, 2], "")], ids=str
)
def test_who_says_one_class_in_each_fold_is_known(classes, only):
    assert only_said(classes, [0, 0, 1, 1]) == only
