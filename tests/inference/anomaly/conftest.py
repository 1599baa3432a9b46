from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from tests.fakes.waves import TELLING, waves

from triptych.inference.anomaly.catch import CatchDetector, Config
from triptych.training.anomaly.config import Config as TrainingConfig
from triptych.training.anomaly.trainer import fit_catch

TRAINING = TrainingConfig(epochs=3, batch_size=32, windows_per_epoch=400, learning_rate=5e-3, num_threads=1)


def learner(network, learn, held_out, seed):
    fit_catch(network, learn, held_out, TRAINING, seed=seed)


@cache
def fitted(channels: int = 3, **changes) -> CatchDetector:
    torch.set_num_threads(1)
    config = Config(network=TELLING, focus=8, groups=3, **changes)
    return CatchDetector(config, learner=learner).fit(waves(1600, channels=channels))


@pytest.fixture(scope="session")
def catch() -> CatchDetector:
    return fitted()


@pytest.fixture
def fit_one():
    return fitted


@pytest.fixture
def rows() -> np.ndarray:
    return waves(400, seed=3)


class NoNetwork(torch.nn.Module):
    """Reconstructs nothing: what is left of CATCH costs nothing to train."""

    def forward(self, x, *, last=0):
        return torch.zeros_like(x[:, -last:])


@pytest.fixture(scope="session")
def silent_catch():
    """Fits a CATCH detector without a network on rows."""
    return lambda rows, entity=None, **settings: CatchDetector(
        learner=lambda *_: None, build=lambda *_, **__: NoNetwork(), **settings
    ).fit(rows, entity=entity)
