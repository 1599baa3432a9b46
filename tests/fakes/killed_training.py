"""A training that is killed for certain at a chosen moment: run it in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
from tests.fakes.classifier import small_classifier
from tests.fakes.market import walk

from triptych.features import targets
from triptych.training import splits
from triptych.training.samples import Samples
from triptych.training.trainer import Config, FitResult, fit
from triptych.training.windows import WindowSet

LENGTH = 8


def window_sets(n: int = 420, momentum: float = 0.5) -> tuple[WindowSet, WindowSet]:
    """Training and validation windows of two instruments."""
    series = [walk(n, seed=1, momentum=momentum), walk(n - 60, seed=2, symbol="BBB", momentum=momentum)]
    labels = [targets.label(s, targets.Config(horizon=3, threshold="fixed", up=0.004, down=0.004)) for s in series]
    (fold,) = splits.split(series, labels, splits.Config(), length=LENGTH)
    train, validation, _ = (
        WindowSet.of(series, Samples.of(series, labels, s), length=LENGTH) for s in fold.segments
    )  # fmt: skip
    return train, validation


def train(directory: Path, config: Config) -> FitResult:
    """The training that every test of a resumption runs."""
    torch.set_num_threads(1)
    return fit(small_classifier(LENGTH), *window_sets(), config, directory, seed=5, progress=False)


def train_and_die(directory: Path, config: Config, batch: int, file: str, moment: str, count: int) -> None:
    """Train, and be killed at the `batch`-th batch of this process, or when `file` is replaced for the `count`-th time.

    Killed `before` that, or `after` it: when the next file is opened for writing.
    """
    state = {"replaced": 0}

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event == "os.rename" and str(arguments[1]).endswith(file):
            state["replaced"] += 1
            if moment == "before" and state["replaced"] == count:
                die()
        elif event == "open" and moment == "after" and state["replaced"] == count and "w" in str(arguments[1]):
            die()

    if file:
        sys.addaudithook(watch)
    if batch:
        batches = iter(range(1, batch))
        original = torch.Tensor.backward

        def backward(tensor: torch.Tensor, *args: object, **options: object) -> None:
            if next(batches, None) is None:
                die()
            original(tensor, *args, **options)

        torch.Tensor.backward = backward
    train(directory, config)
