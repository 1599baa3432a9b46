"""Predictors: a trained classifier through ONNX Runtime (default) or PyTorch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor

from triptych.domain import CANDLE_FIELDS
from triptych.domain.errors import ArtifactError, NotEnoughData
from triptych.inference.base import AbstractPredictor, Figures
from triptych.inference.classifier import ForecastHead, ProbabilityHead, TaskHead, WindowClassifier

RETURN = "foretold_return"
"""Name of the output of a graph that foretells the return."""
FIGURES = {"size": RETURN, "volatility": "foretold_volatility"}
"""Names of the outputs of a graph for the tasks beside the direction."""
BATCH = 256
"""Windows per call: large enough to keep the cores busy, small enough for a small PC's memory."""

# TensorRT builds an engine for minutes on first use, so it is taken only when it is asked for.
_PREFERRED_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


def usable_cores() -> int:
    """Cores this process may use: fewer than the machine has where it was confined to some of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS and Windows do not tell


def _checked(windows: NDArray[np.floating], length: int, width: int) -> NDArray[np.float32]:
    if windows.ndim != 3 or windows.shape[1:] != (length, width):
        raise NotEnoughData(f"Expected windows of shape (batch, {length}, {width}), was {windows.shape}.")
    return np.ascontiguousarray(windows, dtype=np.float32)


class OnnxPredictor(AbstractPredictor):
    """Serves an exported graph. `threads` 0 takes every core that this process may use."""

    def __init__(
        self,
        path: Path,
        *,
        length: int,
        width: int = len(CANDLE_FIELDS),
        name: str = "",
        horizon: int = 0,
        providers: Sequence[str] = (),
        threads: int = 0,
    ) -> None:
        self.length = length
        self._width = width
        self.name, self.horizon = name, horizon
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        options.log_severity_level = 3
        offered = ort.get_available_providers()
        chosen = [p for p in (providers or _PREFERRED_PROVIDERS) if p in offered]
        if not chosen:
            raise ArtifactError(
                f"None of the execution providers {list(providers)} is installed.", remedy=f"Installed: {offered}."
            )
        try:
            self._session = ort.InferenceSession(str(path), options, providers=chosen)
        except Exception as error:  # ONNX Runtime raises its own unrelated classes for every kind of damage
            raise ArtifactError(
                f"{path} is not a graph that ONNX Runtime can load: {error}", remedy="Save the artifact again."
            ) from error

    @property
    def provider(self) -> str:
        """The execution provider in use."""
        return str(self._session.get_providers()[0])

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        parts = self._run("probabilities", windows)
        return np.concatenate(parts) if parts else np.zeros((0, 3), dtype=np.float32)

    def returns(self, windows: NDArray[np.floating]) -> NDArray[np.float32] | None:
        if RETURN not in (output.name for output in self._session.get_outputs()):
            return None
        parts = self._run(RETURN, windows)
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)

    def foretold(self, windows: NDArray[np.floating]) -> Figures:
        names = self._figures()
        return dict(zip(names, self.outputs(windows, tuple(names.values())), strict=True))

    def answers(self, windows: NDArray[np.floating]) -> tuple[NDArray[np.float32], Figures]:
        names = self._figures()
        if not names or not len(windows):
            return self.probabilities(windows), self.foretold(windows)
        batch, wanted = _checked(windows, self.length, self._width), ["probabilities", *names.values()]
        parts = [
            self._session.run(wanted, {"window": batch[start : start + BATCH]}) for start in range(0, len(batch), BATCH)
        ]
        rows, *figures = (np.concatenate(column) for column in zip(*parts, strict=True))
        return rows, dict(zip(names, figures, strict=True))

    def _figures(self) -> dict[str, str]:
        """Names of the graph's outputs by task."""
        there = {output.name for output in self._session.get_outputs()}
        return {task: name for task, name in FIGURES.items() if name in there}

    def outputs(self, windows: NDArray[np.floating], names: Sequence[str]) -> list[NDArray[np.float32]]:
        """Some outputs of the graph for windows as `probabilities` takes them, each of shape (batch, ..)."""
        return [np.concatenate(self._run(name, windows)) for name in names]

    def _run(self, output: str, windows: NDArray[np.floating]) -> list[NDArray[np.float32]]:
        batch = _checked(windows, self.length, self._width)
        return [
            self._session.run([output], {"window": batch[start : start + BATCH]})[0]
            for start in range(0, len(batch), BATCH)
        ]


class TorchPredictor(AbstractPredictor):
    """Serves the module itself: for GPUs without an ONNX provider, and as the reference of the exported graph."""

    def __init__(
        self,
        classifier: WindowClassifier,
        *,
        length: int,
        width: int = len(CANDLE_FIELDS),
        name: str = "",
        horizon: int = 0,
        device: str = "cpu",
    ) -> None:
        self.length = length
        self._width = width
        self.name, self.horizon = name, horizon
        self._device = torch.device(device)
        self._head = ProbabilityHead(classifier).eval().to(self._device)
        self._tasks: tuple[str, ...] = ("size",) if classifier.foretells_return else classifier.tasks
        self._figure_head: ForecastHead | TaskHead | None = None
        if self._tasks:
            head = ForecastHead(classifier) if classifier.foretells_return else TaskHead(classifier)
            self._figure_head = head.eval().to(self._device)

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        parts = self._run(self._head, windows)
        return torch.cat(parts).numpy() if parts else np.zeros((0, 3), dtype=np.float32)

    def returns(self, windows: NDArray[np.floating]) -> NDArray[np.float32] | None:
        return self.foretold(windows).get("size")

    def foretold(self, windows: NDArray[np.floating]) -> Figures:
        return self.answers(windows)[1] if self._figure_head is not None else {}

    def answers(self, windows: NDArray[np.floating]) -> tuple[NDArray[np.float32], Figures]:
        head = self._figure_head
        if head is None:
            return self.probabilities(windows), {}

        def side_by_side(batch: Tensor) -> Tensor:
            rows, *figures = head(batch)
            return torch.cat([rows, *(figure[:, None] for figure in figures)], dim=1)

        n = len(self._tasks)
        parts = self._run(side_by_side, windows)
        found = torch.cat(parts).numpy() if parts else np.zeros((0, 3 + n), dtype=np.float32)
        return found[:, :-n], {task: found[:, i - n] for i, task in enumerate(self._tasks)}

    def _run(self, head: Callable[[Tensor], Tensor], windows: NDArray[np.floating]) -> list[Tensor]:
        batch = torch.from_numpy(_checked(windows, self.length, self._width))
        with torch.inference_mode():
            return [
                head(batch[start : start + BATCH].to(self._device, non_blocking=True)).float().cpu()
                for start in range(0, len(batch), BATCH)
            ]
