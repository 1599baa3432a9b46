"""Growing trees by scikit-learn or XGBoost, and turning them into tensors.

Both libraries grow; neither is needed afterwards. What they grew is checked against what they answer before it is kept.
"""

from __future__ import annotations

import importlib.util
import json
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.domain import CLASSES
from triptych.domain.errors import NotEnoughData, RecipeError, RunError
from triptych.models.boosted import TreeEnsemble
from triptych.models.boosted.trees import Tree
from triptych.training.boosting.config import Config

Engine = Literal["xgboost", "histogram"]
TOLERANCE = 1e-4
"""Largest difference in probability between a library and its trees as tensors."""
Rows = NDArray[np.float32]
Labels = NDArray[np.int64]
Weights = NDArray[np.float64]
Samples = tuple[Rows, Labels, Weights]
"""Rows of shape (n, features), labels of shape (n,), 0 to 2, and how much each counts, shape (n,), 1 on average."""


def engine_of(config: Config) -> Engine:
    """The library that grows. Raises RecipeError when it is XGBoost and not installed."""
    there = importlib.util.find_spec("xgboost") is not None
    if config.engine == "xgboost" and not there:
        raise RecipeError(
            "boosting.engine = 'xgboost', and it is not installed.",
            remedy='Install it by `pip install "triptych[boosting]"`, or set boosting.engine to histogram.',
        )
    return "xgboost" if there and config.engine != "histogram" else "histogram"


def grow(train: Samples, validation: Samples, config: Config, *, seed: int) -> tuple[TreeEnsemble, int]:
    """Trees for three classes, and the round after which the validation loss was lowest.

    Args:
        train, validation: what to learn from and what to stop by.
        config: how.
        seed: of what is random.

    Raises NotEnoughData when the training labels lack a class, RecipeError without the library.
    """
    missing = sorted(set(range(len(CLASSES))) - set(np.unique(train[1]).tolist()))
    if missing:
        raise NotEnoughData(
            f"The windows to learn from hold no {' and no '.join(CLASSES[i] for i in missing)}.",
            remedy="Bring more candles, or lower the thresholds of the target.",
        )
    make = _xgboost if engine_of(config) == "xgboost" else _histogram
    ensemble, best, probabilities = make(train, validation, config, seed % 2**31)  # the libraries take 32 bits
    with torch.no_grad():
        ours = torch.softmax(ensemble(torch.from_numpy(validation[0])), dim=1).numpy()
    difference = float(np.abs(ours - probabilities).max())
    if not difference <= TOLERANCE:
        raise RunError(
            f"The trees as tensors differ from the library that grew them by {difference:.2g}.",
            remedy="Report this with the versions of the libraries; boosting.engine chooses the other one.",
        )
    return ensemble, best


def _histogram(
    train: Samples, validation: Samples, config: Config, seed: int
) -> tuple[TreeEnsemble, int, NDArray[np.float64]]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=config.rounds, learning_rate=config.learning_rate, max_depth=config.depth,
        min_samples_leaf=min(config.leaf_samples, max(1, len(train[1]) // 4)), l2_regularization=config.l2,
        max_leaf_nodes=None, early_stopping=False, random_state=seed,
    )  # fmt: skip
    model.fit(train[0], train[1], sample_weight=train[2])
    rows = np.arange(len(validation[1]))
    losses, stages = [], []
    for probabilities in model.staged_predict_proba(validation[0]):
        said = np.maximum(probabilities[rows, validation[1]], 1e-12)
        losses.append(float(np.average(-np.log(said), weights=validation[2])))
        stages.append(probabilities)
        if len(losses) - 1 - int(np.argmin(losses)) >= config.early_stopping:
            break
    best = int(np.argmin(losses))
    # scikit-learn has no public view of its trees: `grow` checks that this one says what the model says.
    grown: Any = model
    trees = [
        _histogram_tree(predictor.nodes, class_index)
        for stage in grown._predictors[: best + 1]
        for class_index, predictor in enumerate(stage)
    ]
    return TreeEnsemble.of(trees, np.ravel(grown._baseline_prediction).tolist()), best + 1, stages[best]


def _histogram_tree(nodes: Any, class_index: int) -> Tree:
    places = np.arange(len(nodes))
    leaf = nodes["is_leaf"].astype(bool)
    # Thresholds are float64 and rows float32: the largest float32 that is not above says the same of every row.
    threshold = nodes["num_threshold"].astype(np.float32)
    above = threshold.astype(np.float64) > nodes["num_threshold"]
    threshold[above] = np.nextafter(threshold[above], np.float32(-np.inf))
    return Tree(
        feature=np.where(leaf, 0, nodes["feature_idx"]).tolist(),
        threshold=np.where(leaf, 0.0, threshold).tolist(),
        left=np.where(leaf, places, nodes["left"]).tolist(),
        right=np.where(leaf, places, nodes["right"]).tolist(),
        value=np.where(leaf, nodes["value"], 0.0).tolist(),
        class_index=class_index,
    )


def _xgboost(
    train: Samples, validation: Samples, config: Config, seed: int
) -> tuple[TreeEnsemble, int, NDArray[np.float64]]:
    import xgboost

    options = {
        "objective": "multi:softprob", "num_class": len(CLASSES), "eta": config.learning_rate,
        "max_depth": config.depth, "min_child_weight": config.leaf_samples / 4.0, "lambda": config.l2,
        "tree_method": "hist", "seed": seed, "nthread": 1, "base_score": 0.5, "eval_metric": "mlogloss",
    }  # fmt: skip
    held = xgboost.DMatrix(validation[0], validation[1], weight=validation[2])
    booster = xgboost.train(
        options, xgboost.DMatrix(train[0], train[1], weight=train[2]), config.rounds, evals=[(held, "validation")],
        early_stopping_rounds=config.early_stopping, verbose_eval=False,
    )  # fmt: skip
    best = int(booster.best_iteration)
    kept = booster[: best + 1]
    content = json.loads(bytes(kept.save_raw("json")))["learner"]["gradient_booster"]["model"]
    trees = [
        _xgboost_tree(tree, class_index)
        for tree, class_index in zip(content["trees"], content["tree_info"], strict=True)
    ]
    probabilities: NDArray[np.float64] = kept.predict(held).astype(np.float64)
    return TreeEnsemble.of(trees, [0.0] * len(CLASSES)), best + 1, probabilities


def _xgboost_tree(tree: dict[str, Any], class_index: int) -> Tree:
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    places, leaf = np.arange(len(left)), left < 0
    condition = np.array(tree["split_conditions"], dtype=np.float32)
    # XGBoost goes left below its threshold, not at it.
    threshold = np.nextafter(condition, np.float32(-np.inf))
    return Tree(
        feature=np.where(leaf, 0, tree["split_indices"]).tolist(),
        threshold=np.where(leaf, 0.0, threshold).tolist(),
        left=np.where(leaf, places, left).tolist(),
        right=np.where(leaf, places, right).tolist(),
        value=np.where(leaf, condition, 0.0).tolist(),
        class_index=class_index,
    )
