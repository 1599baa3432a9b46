import numpy as np
import pytest

from triptych.training.comparison import only_said, skill, skill_difference, skill_over_seeds
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


def test_over_seeds_skill_is_their_mean_and_the_difference_that_of_the_means():
    test = samples()
    ours = [guesses(test, share, seed) for seed, share in enumerate((0.3, 0.4, 0.5))]
    theirs = [guesses(test, 0.1, seed) for seed in (11, 12, 13)]
    found = skill_over_seeds(ours, test, CONFIG, 0)
    alone = [skill(one, test, CONFIG, 0)["value"] for one in ours]
    assert found["by_seed"] == pytest.approx(alone)
    assert found["value"] == pytest.approx(np.mean(alone))
    assert (found["lowest"], found["highest"]) == (min(alone), max(alone))
    difference = skill_over_seeds(ours, test, CONFIG, 0, theirs=theirs)
    against = skill_over_seeds(theirs, test, CONFIG, 0)
    assert difference["value"] == pytest.approx(found["value"] - against["value"])
    assert difference["low"] < difference["value"] < difference["high"]


def test_seeds_that_disagree_widen_the_interval_and_those_that_agree_do_not():
    test = samples(2000)
    base = guesses(test, 0.3, 1)
    one = skill(base, test, CONFIG, 0)
    agreeing = skill_over_seeds([base, base, base], test, CONFIG, 0)
    assert agreeing["high"] - agreeing["low"] == pytest.approx(one["high"] - one["low"], rel=0.15)
    split = skill_over_seeds([guesses(test, share, 1) for share in (0.2, 0.3, 0.4)], test, CONFIG, 0)
    assert split["high"] - split["low"] > 2 * (agreeing["high"] - agreeing["low"])


def test_what_errs_together_with_the_same_seed_is_compared_more_sharply_over_seeds_too():
    test = samples(2000)
    base = [guesses(test, 0.3, seed) for seed in (1, 2)]
    near = [one.copy() for one in base]
    for one in near:
        one[:60] = np.eye(3)[test.label[:60]]
    far = [guesses(test, 0.33, seed) for seed in (3, 4)]
    close, loose = (skill_over_seeds(other, test, CONFIG, 0, theirs=base) for other in (near, far))
    assert close["high"] - close["low"] < 0.5 * (loose["high"] - loose["low"])
