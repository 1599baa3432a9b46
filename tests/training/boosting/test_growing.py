"""Trees as tensors say what the library says that grew them; rows lie on thresholds on purpose."""

import importlib.util

import numpy as np
import pytest
import torch

from triptych.domain.errors import NotEnoughData, RecipeError
from triptych.training.boosting import Config
from triptych.training.boosting.growing import engine_of, grow

ENGINES = [
    "histogram",
    pytest.param(
        "xgboost",
        marks=pytest.mark.skipif(importlib.util.find_spec("xgboost") is None, reason="xgboost is not installed"),
    ),
]


def rows_and_labels(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels follow the first column; values are rounded, so that many rows share them."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, 4)).round(1).astype(np.float32)
    labels = np.digitize(rows[:, 0] + random.normal(0, 0.3, n), [-0.5, 0.5])
    return rows, labels.astype(np.int64), np.ones(n)


@pytest.mark.parametrize("engine", ENGINES)
def test_trees_learn_what_there_is_to_learn_and_stop(engine):
    config = Config(engine=engine, rounds=200, learning_rate=0.2, leaf_samples=20, early_stopping=10)
    train, validation, test = (rows_and_labels(600, seed) for seed in range(3))
    trees, rounds = grow(train, validation, config, seed=0)
    with torch.no_grad():
        found = trees(torch.from_numpy(test[0])).argmax(dim=1).numpy()
    assert (found == test[1]).mean() > 0.7
    assert rounds < 200
    assert trees.shape.trees == 3 * rounds
    assert trees.shape.depth <= 3


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_rows_grow_the_same_trees(engine):
    config = Config(engine=engine, rounds=20)
    train, validation = rows_and_labels(300, 0), rows_and_labels(200, 1)
    first, second = (grow(train, validation, config, seed=4)[0] for _ in range(2))
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_that_count_for_nothing_teach_nothing_and_stop_nothing(engine):
    config = Config(engine=engine, rounds=60, leaf_samples=5, early_stopping=5)
    rows, labels, _ = rows_and_labels(600, 0)
    wrong = np.where(np.arange(600) % 2, labels, 2 - labels)
    counts = (np.arange(600) % 2).astype(np.float64)
    trees, _ = grow((rows, wrong, counts), (rows, wrong, counts), config, seed=0)
    misled, _ = grow((rows, wrong, np.ones(600)), (rows, wrong, np.ones(600)), config, seed=0)
    with torch.no_grad():
        found, other = (one(torch.from_numpy(rows)).argmax(dim=1).numpy() for one in (trees, misled))
    assert (found == labels).mean() > 0.75
    assert (other == labels).mean() < 0.6
    right = (rows, labels, np.ones(600))
    rounds = [grow(right, (rows, wrong, held), config, seed=0)[1] for held in (np.ones(600), counts)]
    assert rounds[0] < rounds[1]


def test_a_class_that_never_came_is_named():
    rows, labels, weights = rows_and_labels(200, 0)
    with pytest.raises(NotEnoughData) as caught:
        grow((rows, np.minimum(labels, 1), weights), (rows, labels, weights), Config(engine="histogram"), seed=0)
    assert str(caught.value) == (
        "The windows to learn from hold no buy. Bring more candles, or lower the thresholds of the target."
    )


def test_without_xgboost_auto_takes_scikit_learn_and_xgboost_is_refused(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert engine_of(Config(engine="auto")) == "histogram"
    with pytest.raises(RecipeError) as caught:
        engine_of(Config(engine="xgboost"))
    assert str(caught.value) == (
        "boosting.engine = 'xgboost', and it is not installed. Install it by `pip install \"triptych[boosting]\"`, or "
        "set boosting.engine to histogram."
    )
