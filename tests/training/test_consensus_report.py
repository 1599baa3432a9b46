"""The figures of a consensus, by hand on eight samples and by simulation on many."""

import numpy as np
import pytest

from triptych.training.consensus_report import Calls, consensus_report, matched
from triptych.training.evaluation import Config
from triptych.training.samples import Samples

HOUR_MS = 3_600_000


def samples(label, horizon=1):
    n = len(label)
    time = np.arange(1, n + 1) * HOUR_MS
    return Samples(
        instrument=np.zeros(n, dtype=np.int64), index=np.arange(n), label=np.asarray(label, dtype=np.int64),
        time_ms=time, end_ms=time + horizon * HOUR_MS, uniqueness=np.full(n, 1 / horizon),
    )  # fmt: skip


def rows(*buys):
    """Probabilities with the given lean to buy, from -1 to 1; a third of hold."""
    lean = np.array(buys) / 3
    return np.stack([1 / 3 - lean, np.full(len(lean), 1 / 3), 1 / 3 + lean], axis=1)


def test_calls_are_right_where_the_class_of_their_direction_followed():
    direction = np.array([1, -1, 0, 1, 1])
    calls = Calls(direction, rows(0.9, -0.5, 0.1, 0.2, 0.6), np.array([2, 2, 2, 2, 0]))
    assert calls.called.tolist() == [True, True, False, True, True]
    assert calls.right.tolist() == [True, False, False, True, False]
    assert calls.top.tolist() == [True, False, False, False, True]  # 30 % of four calls: the two surest


def test_another_model_gets_as_many_calls_where_it_leans_most():
    assert matched(np.array([1, 0, -1, 0]), rows(0.1, -0.9, 0.3, 0.5)).tolist() == [0, -1, 0, 1]


def test_coverage_precision_return_and_pairs_by_hand():
    label = [2, 0, 2, 2, 0, 1, 0, 2]
    probabilities = {
        "consensus": rows(0.9, -0.9, 0.8, 0.1, -0.7, 0.0, 0.6, 0.2),
        "a": rows(0.9, -0.9, 0.8, -0.1, -0.7, 0.1, 0.6, 0.2),
        "b": rows(-0.9, -0.9, 0.8, 0.1, 0.7, 0.1, -0.6, -0.2),
    }
    directions = {
        "consensus": np.array([1, -1, 1, 0, -1, 0, 1, 0]),
        "a": np.array([1, -1, 1, 0, -1, 0, 1, 1]),
        "b": np.array([0, -1, 1, 0, 1, 0, 0, 0]),
    }
    returns = np.array([0.02, -0.01, 0.03, 0.01, -0.02, 0.0, -0.01, 0.01])
    found = consensus_report(
        probabilities, directions, samples(label), returns, Config(resamples=100), seed=1, cost=0.001
    )
    figures = found["models"]["consensus"]
    assert figures["coverage"]["value"] == pytest.approx(5 / 8)
    assert figures["precision"]["value"] == pytest.approx(4 / 5)
    assert figures["precision_top"]["value"] == 1.0
    assert figures["mean_return"]["value"] == pytest.approx((0.019 + 0.009 + 0.029 + 0.019 - 0.011) / 5)
    assert found["models"]["a"]["coverage"]["value"] == pytest.approx(6 / 8)
    assert found["models"]["a at equal coverage"]["coverage"]["value"] == pytest.approx(5 / 8)
    assert found["better_member"] == "a"
    assert found["disagreement"]["a / b"] == pytest.approx(5 / 8)
    wrong_a, wrong_b = np.array([0, 0, 0, 1, 0, 1, 1, 0]), np.array([1, 0, 0, 0, 1, 1, 0, 1])
    assert found["error_correlation"]["a / b"] == pytest.approx(np.corrcoef(wrong_a, wrong_b)[0, 1])


def made(n=3000, skill=0.0, together=0.0, seed=0, horizon=8):
    """Two members that lean to the right class by `skill`; the consensus leans by `together` more."""
    random = np.random.default_rng(seed)
    label = np.repeat(random.integers(0, 3, n // horizon + 1), horizon)[:n]
    truth = (label - 1) * 0.5
    a, b = (np.clip(skill * truth + random.normal(0, 0.3, n), -0.95, 0.95) for _ in range(2))
    c = np.clip((skill + together) * truth + random.normal(0, 0.3, n), -0.95, 0.95)
    probabilities = {"consensus": rows(*c), "a": rows(*a), "b": rows(*b)}
    directions = {name: np.sign(p[:, 2] - p[:, 0]).astype(np.int64) for name, p in probabilities.items()}
    config = Config(resamples=300)
    return consensus_report(probabilities, directions, samples(label, horizon), truth * 0.02, config, seed=1)


def test_a_consensus_that_is_better_is_found_out():
    found = made(skill=0.1, together=1.0)
    assert found["lift"]["mcc"]["low"] > 0
    assert found["lift"]["precision"]["low"] > 0
    assert found["sentence"].startswith("Together they are better than the better of them, ")


def test_a_consensus_that_is_no_better_is_not_praised():
    found = made(skill=0.3, seed=2)
    assert found["lift"]["mcc"]["low"] < 0 < found["lift"]["mcc"]["high"]
    assert found["sentence"].startswith("No evidence that they are better together than ")


def test_a_consensus_that_never_enters_says_so():
    probabilities = {"consensus": rows(0.1, 0.2, 0.3, 0.1), "a": rows(0.9, -0.9, 0.8, 0.1)}
    directions = {"consensus": np.zeros(4, dtype=np.int64), "a": np.array([1, -1, 1, 0])}
    found = consensus_report(
        probabilities, directions, samples([2, 0, 2, 1]), np.zeros(4), Config(resamples=100), seed=1
    )
    assert found["models"]["consensus"]["coverage"]["value"] == 0.0
    assert found["models"]["consensus"]["precision"] == {
        "value": None, "low": None, "high": None, "reason": "It would never have entered.",
    }  # fmt: skip


def test_telling_classes_apart_is_no_praise_where_entries_are_right_no_more_often():
    random = np.random.default_rng(3)
    label = np.repeat(random.integers(0, 3, 400), 8)
    lean = random.uniform(-0.9, 0.9, len(label))
    both = rows(*lean)
    hold = both * 0.4
    hold[:, 1] += 0.6  # the same lean, and never anything but hold
    knows = np.where((label == 1)[:, None], hold, both)
    directions = {"consensus": np.sign(lean).astype(np.int64), "a": np.sign(lean).astype(np.int64)}
    found = consensus_report(
        {"consensus": knows, "a": hold}, directions, samples(label, 8), np.zeros(len(label)), Config(resamples=200), 1
    )
    assert found["lift"]["mcc"]["low"] > 0
    assert found["sentence"].startswith(
        "No evidence that their entries are better together than those of a alone at equal coverage, though they tell "
    )
