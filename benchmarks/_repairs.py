"""What each repair of the reference's choices is worth: one undone at a time, all else as it is here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks._detection import REFERENCE_TRAINING, labelled_market
from triptych.bootstrap import create_detector
from triptych.domain.errors import RunError
from triptych.inference.anomaly.catch import SMALL, CatchDetector, combine
from triptych.inference.anomaly.sliding import sliding
from triptych.models.catch import REFERENCE_CHOICES
from triptych.models.catch import Config as NetworkConfig
from triptych.training.anomaly.metrics import judge

VARIANTS: Final = ("all repairs", *REFERENCE_CHOICES, "no repair")
"""Nothing undone, one choice of the reference each, all of them."""
AGAIN: Final = 1000
"""Rows that are scored twice."""


def network_of(variant: str) -> NetworkConfig:
    """The network of a variant, at the detector's sizes."""
    if variant == "no repair":
        return SMALL.model_copy(update={"compat": "reference"})
    choices = () if variant == "all repairs" else (variant,)
    return SMALL.model_copy(update={"reference_choices": choices})


def undone(variant: str, seed: int, *, n_candles: int = 20_000, epochs: int = 6) -> dict[str, float]:
    """Figures of a variant on one market: fitted on its clean half, judged on the other.

    `auc_network` is that of the network's reconstruction errors alone; `call_to_call` the largest difference between
    two scores of the same row; `diverged` 1 where the loss became NaN at our learning rate of the masks: then the
    authors' rate is taken.
    """
    market, frame = labelled_market(seed, n_candles)
    train, test = frame.head(market.first - 1), frame.slice(market.first - 1)
    training: dict[str, Any] = {"num_threads": 1, "epochs": epochs}
    diverged = 0.0
    try:
        detector = create_detector("catch", network=network_of(variant), training=training).fit(train)
    except RunError:
        diverged = 1.0
        training |= {"mask_learning_rate": REFERENCE_TRAINING["mask_learning_rate"]}
        detector = create_detector("catch", network=network_of(variant), training=training).fit(train)
    assert isinstance(detector, CatchDetector)
    rows = detector.scaling_(frame.slice(market.first - detector.memory).to_numpy())
    torch.manual_seed(0)
    scores, of_network = _scored(detector, rows)
    again, _ = _scored(detector, rows[: AGAIN + detector.memory - 1])
    truth = market.labels[market.first :]
    assert len(scores) == test.height == len(truth)
    return asdict(judge(truth, scores, scores > detector.threshold_, slack=8)) | {
        "auc_network": float(roc_auc_score(truth > 0, of_network)),
        "call_to_call": float(np.abs(again - scores[:AGAIN]).max()),
        "diverged": diverged,
        "parameters": float(detector.parameters),
    }


def _scored(detector: CatchDetector, rows: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of the rows that end a window, and those of the network's kinds of evidence alone."""
    count = detector.config.groups
    assessed = [detector.assess(windows) for _, windows in sliding(rows, detector.memory)]
    momentary = np.full(count, detector.config.momentary)
    alone = [combine(one.evidence[..., :count], momentary) for one in assessed]
    return np.concatenate([one.scores for one in assessed]), np.concatenate(alone)
