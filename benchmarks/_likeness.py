"""How much a market has changed, by a siamese network that has learnt likeness without a label.

The measure of change is the distance between the window that ends now and the one just before it; they share no candle.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.images import create_encoding
from triptych.inference import WindowClassifier
from triptych.models import create_model
from triptych.models.siamese import SiameseNetwork
from triptych.training.config import Config as TrainingConfig
from triptych.training.siamese import Config
from triptych.training.siamese.fitting import embeddings_over, fit_siamese
from triptych.training.windows import WindowSet

LENGTH, STRIDE, DIMENSION = 32, 4, 16


def change(train: NDArray[np.float64], others: list[NDArray[np.float64]], seed: int) -> list[NDArray[np.float64]]:
    """The change at each candle of `others`, by a network that has learnt on `train`; NaN where there is none yet."""
    usual = float(train.std())
    encoding = create_encoding("sequence", length=LENGTH, factors=2)
    body = create_model("gru", in_chans=2, num_classes=DIMENSION, seed=seed, width=0.5)
    network = SiameseNetwork(body, dimension=DIMENSION, entries=1, classes=3)
    classifier = WindowClassifier(encoding, network)
    cut = int(0.8 * len(train))
    parts = _windows(train[:cut], usual, STRIDE), _windows(train[cut:], usual, STRIDE)
    training = TrainingConfig(epochs=6, batch_size=128, learning_rate=3e-3, early_stopping=2, num_threads=1)
    with tempfile.TemporaryDirectory() as folder:
        fit_siamese(classifier, *parts, Config(loss="nt_xent", dimension=DIMENSION), training, Path(folder), seed)
    found = []
    for returns in others:
        placed = embeddings_over(classifier.eval(), _windows(returns, usual, 1)).double().numpy()
        apart = np.full(len(returns), np.nan)
        apart[2 * LENGTH - 1 :] = np.linalg.norm(placed[LENGTH:] - placed[:-LENGTH], axis=1)
        found.append(apart)
    return found


def _windows(returns: NDArray[np.float64], usual: float, stride: int) -> WindowSet:
    """Every so manieth window of returns and of the logarithms of their sizes; nothing is learnt from labels."""
    rows = np.stack([returns / usual, np.log(np.abs(returns) / usual + 0.1)], axis=1).astype(np.float32)
    starts = torch.arange(0, len(rows) - LENGTH + 1, stride)
    return WindowSet(
        values=torch.from_numpy(rows), starts=starts, labels=torch.zeros(len(starts), dtype=torch.int64),
        uniqueness=torch.ones(len(starts)), length=LENGTH,
    )  # fmt: skip
