import numpy as np
import pytest
from scipy import stats

from triptych.training.evaluation import Config
from triptych.training.samples import Samples
from triptych.training.tasks.judging import judge_figure

N = 2_000
TEST = Samples(
    instrument=np.zeros(N, dtype=np.int64), index=np.arange(N), label=np.ones(N, dtype=np.int64),
    time_ms=np.arange(N) * 1_000, end_ms=(np.arange(N) + 4) * 1_000, uniqueness=np.full(N, 0.25),
)  # fmt: skip
RANDOM = np.random.default_rng(0)
ACTUAL = RANDOM.normal(size=N)
SETTINGS = Config(resamples=200)


def judged(foretold, **baselines):
    return judge_figure(foretold, ACTUAL, baselines or {"zero": np.zeros(N)}, TEST, SETTINGS, seed=1)


def test_skill_is_the_share_of_a_rules_squared_error_that_is_saved():
    found = judged(0.5 * ACTUAL)
    assert found["skill"]["zero"]["value"] == pytest.approx(0.75)
    assert found["verdict"] == "better"
    assert found["sentence"].startswith("It knows more than zero: it saves +75.0% of the squared error of zero (from ")


def test_a_guess_is_not_called_skill_and_noise_is_called_worse():
    assert judged(0.01 * RANDOM.normal(size=N))["verdict"] == "no better"
    assert judged(RANDOM.normal(size=N))["verdict"] == "worse"


def test_the_best_rule_is_the_one_to_beat():
    found = judged(0.5 * ACTUAL, zero=np.zeros(N), oracle=0.9 * ACTUAL)
    assert found["best_baseline"] == "oracle"
    assert found["verdict"] == "worse"


def test_what_is_not_known_is_left_out():
    foretold = ACTUAL.copy()
    foretold[:100] = np.nan
    found = judged(foretold)
    assert found["n"] == N - 100
    assert found["mse"]["model"] == 0.0


def test_correlations_are_those_of_scipy_and_hold_their_values():
    foretold = np.round(0.3 * ACTUAL + RANDOM.normal(size=N), 1)  # with ties
    foretold[:50] = np.nan
    found, known = judged(foretold), np.isfinite(foretold)
    assert found["correlation"]["value"] == pytest.approx(stats.pearsonr(foretold[known], ACTUAL[known])[0])
    assert found["rank_correlation"]["value"] == pytest.approx(stats.spearmanr(foretold[known], ACTUAL[known])[0])
    for name in ("correlation", "rank_correlation"):
        assert 0.0 < found[name]["low"] < found[name]["value"] < found[name]["high"] < 1.0


def test_who_always_says_the_same_correlates_with_nothing():
    assert judged(np.full(N, 0.25))["correlation"] == {
        "value": None, "low": None, "high": None, "reason": "Not defined: one side never moves.",
    }  # fmt: skip
