import json
from dataclasses import replace

import numpy as np
import pytest

from triptych.domain.errors import DataError
from triptych.training.evaluation import Config, block_length, evaluate
from triptych.training.metrics import Scorer
from triptych.training.samples import Samples

COUNTS = {"train": (5, 6, 7), "validation": (1, 2, 3), "test": (10, 20, 30)}
QUICK = Config(resamples=200)


def samples(n: int, horizon: int = 4, seed: int = 0) -> Samples:
    index = np.arange(n)
    return Samples(
        instrument=np.zeros(n, dtype=np.int64), index=index, label=np.random.default_rng(seed).integers(0, 3, n),
        time_ms=index * 60, end_ms=(index + horizon) * 60, uniqueness=np.full(n, 1 / horizon),
    )  # fmt: skip


def guess(test: Samples, skill: float, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).dirichlet([1, 1, 1], len(test))
    return skill * np.eye(3)[test.label] + (1 - skill) * noise


def constant(test: Samples) -> np.ndarray:
    return np.tile([0.2, 0.5, 0.3], (len(test), 1))


def test_the_layout_is_exactly_that_of_the_report():
    test = samples(300)
    found = evaluate(guess(test, 0.2), test, {"majority": constant(test)}, COUNTS, QUICK, seed=3)
    names = [
        "accuracy", "macro_precision", "macro_recall", "macro_f1", "mcc", "roc_auc", "brier", "calibration_error",
    ]  # fmt: skip
    assert list(found) == [
        "metrics", "baselines", "confusion", "calibration", "class_counts", "n", "effective_n", "comparison",
    ]  # fmt: skip
    assert list(found["metrics"]) == names
    assert list(found["baselines"]) == ["majority"]
    assert list(found["baselines"]["majority"]) == names
    assert all(set(entry) == {"value", "low", "high"} for entry in found["metrics"].values())
    assert np.array(found["confusion"]).shape == (3, 3)
    assert np.sum(found["confusion"]) == 300
    assert set(found["calibration"]) == {"bins"}
    assert set(found["calibration"]["bins"][0]) == {"low", "high", "count", "confidence", "accuracy"}
    assert found["class_counts"] == {"train": [5, 6, 7], "validation": [1, 2, 3], "test": [10, 20, 30]}
    assert found["n"] == 300
    assert found["effective_n"] == pytest.approx(75)
    assert set(found["comparison"]) == {"best_baseline", "metric", "difference"}
    assert found["comparison"]["metric"] == "mcc"
    json.dumps(found, allow_nan=False)


def test_values_are_those_of_the_metrics_and_lie_inside_their_intervals():
    test = samples(300)
    p = guess(test, 0.3)
    found = evaluate(p, test, {"majority": constant(test)}, COUNTS, QUICK, seed=3)
    for name, value in Scorer(p, test.label).values().items():
        entry = found["metrics"][name]
        assert entry["value"] == value
        assert entry["low"] <= value <= entry["high"]


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    test = samples(200)
    one, two, other = (
        evaluate(guess(test, 0.2), test, {"majority": constant(test)}, COUNTS, QUICK, seed=seed) for seed in (1, 1, 2)
    )
    assert one == two
    assert one["metrics"]["mcc"] != other["metrics"]["mcc"]


def test_the_best_baseline_is_chosen_and_a_model_equal_to_it_differs_by_nothing():
    test = samples(300)
    good = guess(test, 0.5)
    found = evaluate(good, test, {"majority": constant(test), "good": good}, COUNTS, QUICK, seed=0)
    assert found["comparison"] == {
        "best_baseline": "good", "metric": "mcc", "difference": {"value": 0.0, "low": 0.0, "high": 0.0},
    }  # fmt: skip


def test_a_clear_edge_over_the_best_baseline_excludes_zero_and_noise_does_not():
    test = samples(600)
    baselines = {"majority": constant(test), "noise": guess(test, 0.0, seed=5)}
    edge = evaluate(guess(test, 0.5), test, baselines, COUNTS, QUICK, seed=0)["comparison"]["difference"]
    none = evaluate(guess(test, 0.0, seed=9), test, baselines, COUNTS, QUICK, seed=0)["comparison"]["difference"]
    assert edge["low"] > 0
    assert none["low"] < 0 < none["high"] or none["high"] <= 0


def test_longer_horizons_widen_the_interval():
    random = np.random.default_rng(2)
    steps = np.convolve(random.normal(size=1020), np.ones(20), mode="valid")[:1000]
    test = replace(samples(1000, horizon=20), label=np.where(steps > 0, 2, 0))
    buy = np.tile([0.1, 0.1, 0.8], (1000, 1))
    wide = evaluate(buy, test, {"majority": buy}, COUNTS, QUICK, seed=0)["metrics"]["accuracy"]
    naive = replace(test, end_ms=test.time_ms + 1)
    slim = evaluate(buy, naive, {"majority": buy}, COUNTS, Config(resamples=200, block_length=1), seed=0)
    slim = slim["metrics"]["accuracy"]
    assert wide["high"] - wide["low"] > 2 * (slim["high"] - slim["low"])


def test_what_is_undefined_is_none_with_its_reason():
    test = replace(samples(60), label=np.full(60, 1))
    found = evaluate(constant(test), test, {"majority": constant(test)}, COUNTS, QUICK, seed=0)
    assert found["metrics"]["roc_auc"] == {
        "value": None, "low": None, "high": None, "reason": "Not defined: the labels hold one class only.",
    }  # fmt: skip
    json.dumps(found, allow_nan=False)


def test_blocks_are_never_shorter_than_the_labels():
    test = samples(500, horizon=12)
    assert block_length(test, Config(block_length=3)) == 12
    assert block_length(test, Config(block_length=100)) == 100
    assert block_length(test, Config()) == 48


def test_without_a_baseline_nothing_is_judged():
    test = samples(30)
    with pytest.raises(DataError) as error:
        evaluate(constant(test), test, {}, COUNTS, QUICK, seed=0)
    assert str(error.value) == "There is no baseline to compare with. Pass at least the majority baseline."
