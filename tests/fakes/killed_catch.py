"""A CATCH training that is killed for certain at a chosen batch: run it in a process of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import torch
from tests.fakes.waves import TINY, waves

from triptych.models.catch import Catch, build_catch
from triptych.training.anomaly.config import Config
from triptych.training.anomaly.trainer import CatchFit, fit_catch

CONFIG = Config(epochs=3, batch_size=16, early_stopping=0, windows_per_epoch=96)


def train(directory: Path | None, config: Config = CONFIG, *, seed: int = 5) -> tuple[Catch, CatchFit]:
    """The training that every test of a resumption runs."""
    torch.set_num_threads(1)
    network = build_catch(3, TINY, seed=1)
    rows = waves(200).astype(np.float32)
    return network, fit_catch(network, [rows[:120]], [rows[120:]], config, seed=seed, directory=directory)


def train_and_die(directory: Path, batch: int) -> None:
    """Train, and be killed at the `batch`-th backward pass."""
    passes = iter(range(1, batch))
    original = torch.Tensor.backward

    def backward(tensor: torch.Tensor, *args: object, **options: object) -> None:
        if next(passes, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        original(tensor, *args, **options)

    torch.Tensor.backward = backward
    train(directory)
