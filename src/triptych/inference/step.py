"""One candle at a time: the step of a network that carries its memory along, as a graph and natively.

The graph has no branch: rows of factors and the state before them go in, probabilities and the state after them come
out.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from triptych.domain.errors import ArtifactError
from triptych.images.sequence import Sequence as SequenceEncoding
from triptych.inference.classifier import WindowClassifier
from triptych.inference.quiet_export import quiet_export
from triptych.models.sequence import SequenceNetwork
from triptych.models.xlstm import StackState

OPSET = 18
FORMAT = "1"
"""Version of the graph's inputs; the state is as `triptych.models.xlstm.StackState` says."""
ROWS, PROBABILITIES = "rows", "probabilities"
State = list[NDArray[np.float32]]


def streams(classifier: WindowClassifier) -> bool:
    """Whether the classifier can answer candle by candle: factors as they are, and a network with a memory."""
    network = classifier.network
    return (
        isinstance(classifier.encoding, SequenceEncoding) and isinstance(network, SequenceNetwork) and network.streams
    )


class AbstractStep(ABC):
    """Rows of factors in, probabilities out, with the state of every row of the batch."""

    @abstractmethod
    def fresh(self, batch: int) -> State:
        """The state of rows that have seen nothing."""

    @abstractmethod
    def __call__(self, rows: NDArray[np.float32], state: State) -> tuple[NDArray[np.float32], State]:
        """One candle.

        Args:
            rows: float32 of shape (batch, columns).
            state: before it; left as it is.

        Returns:
            Probabilities, float32 of shape (batch, 3), and the state after the candle.
        """

    def through(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        """Probabilities at the end of windows of shape (batch, length, columns), step by step from a fresh state."""
        state, found = self.fresh(len(windows)), np.zeros((len(windows), 3), dtype=np.float32)
        for t in range(windows.shape[1] if len(windows) else 0):
            found, state = self(np.ascontiguousarray(windows[:, t], dtype=np.float32), state)
        return found


class StepHead(nn.Module):
    """The step of a classifier with its encoding, its state flat: the graph that is exported."""

    def __init__(self, classifier: WindowClassifier) -> None:
        super().__init__()
        self.classifier = classifier
        self.counts = [len(block) for block in classifier.network.fresh_state(1).blocks]  # type: ignore[operator]

    def forward(self, rows: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Probabilities of shape (batch, classes), then the state after the candle, for rows (batch, columns)."""
        given = list(state)
        blocks = tuple(tuple(given.pop(0) for _ in range(count)) for count in self.counts)
        columns = 2.0 * self.classifier.encoding.pixels(rows) - 1.0  # type: ignore[operator]
        logits, after = self.classifier.network.step(columns, StackState(blocks))  # type: ignore[operator]
        return torch.softmax(logits, dim=-1), *_flat(after)


class TorchStep(AbstractStep):
    """The step through PyTorch, on the CPU."""

    def __init__(self, classifier: WindowClassifier) -> None:
        _require_streams(classifier)
        self._head = StepHead(classifier).eval().cpu()

    def fresh(self, batch: int) -> State:
        state: StackState = self._head.classifier.network.fresh_state(batch)  # type: ignore[operator]
        return [one.numpy() for one in _flat(state)]

    def __call__(self, rows: NDArray[np.float32], state: State) -> tuple[NDArray[np.float32], State]:
        with torch.inference_mode():
            probabilities, *after = self._head(torch.from_numpy(rows), *map(torch.from_numpy, state))
        return probabilities.numpy(), [one.numpy() for one in after]


class OnnxStep(AbstractStep):
    """The step through ONNX Runtime; one thread, for a step is too small to be shared."""

    def __init__(self, path: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            about = self._session.get_modelmeta().custom_metadata_map
            self._fill: list[float] = json.loads(about["fresh"])
            version = about["format"]
        except Exception as error:  # ONNX Runtime raises its own unrelated classes for every kind of damage
            raise ArtifactError(
                f"{path} is not a step that ONNX Runtime can load: {error}", remedy="Save the artifact again."
            ) from error
        if version != FORMAT:
            raise ArtifactError(
                f"{path} has format {version}, and this version reads format {FORMAT}.",
                remedy="Save the artifact again.",
            )
        self._inputs = [one.name for one in self._session.get_inputs()]
        self._shapes = [tuple(one.shape[1:]) for one in self._session.get_inputs()[1:]]

    def fresh(self, batch: int) -> State:
        return [
            np.full((batch, *shape), fill, dtype=np.float32)
            for shape, fill in zip(self._shapes, self._fill, strict=True)
        ]

    def __call__(self, rows: NDArray[np.float32], state: State) -> tuple[NDArray[np.float32], State]:
        probabilities, *after = self._session.run(None, dict(zip(self._inputs, (rows, *state), strict=True)))
        return probabilities, after


def export_step(classifier: WindowClassifier, path: Path) -> None:
    """Write the graph of a step: inputs `rows` (batch, columns) and `state_0` .., outputs `probabilities` and states.

    Raises ArtifactError when the network cannot be streamed.
    """
    _require_streams(classifier)
    head = StepHead(classifier).eval().cpu()
    network: Any = classifier.network
    state = _flat(network.fresh_state(2))
    names = [f"state_{i}" for i in range(len(state))]
    batch = torch.export.Dim("batch", min=1)
    with quiet_export(), torch.no_grad():
        program = torch.onnx.export(
            head,
            (torch.zeros(2, network.in_chans), *state),
            dynamo=True,
            opset_version=OPSET,
            input_names=[ROWS, *names],
            output_names=[PROBABILITIES, *(f"{name}_after" for name in names)],
            dynamic_shapes={"rows": {0: batch}, "state": tuple({0: batch} for _ in state)},
            verbose=False,
        )
        assert program is not None
        program.model.metadata_props.update(format=FORMAT, fresh=json.dumps([float(one.flatten()[0]) for one in state]))
        program.save(str(path), external_data=False)


def _flat(state: StackState) -> Sequence[Tensor]:
    return [one for block in state.blocks for one in block]


def _require_streams(classifier: WindowClassifier) -> None:
    if not streams(classifier):
        raise ArtifactError(
            "The model cannot answer candle by candle: it looks at its window as a whole.",
            remedy="Train an xlstm with sequence.pool = last, one timeframe, no adaptive depth, and the encoding "
            "`sequence`; others predict from windows.",
        )
