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


def rows_and_labels(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels follow the first column; values are rounded, so that many rows share them."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, 4)).round(1).astype(np.float32)
    labels = np.digitize(rows[:, 0] + random.normal(0, 0.3, n), [-0.5, 0.5])
    return rows, labels.astype(np.int64)


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


def test_a_class_that_never_came_is_named():
    rows, labels = rows_and_labels(200, 0)
    with pytest.raises(NotEnoughData) as caught:
        grow((rows, np.minimum(labels, 1)), (rows, labels), Config(engine="histogram"), seed=0)
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
