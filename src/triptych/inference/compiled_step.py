"""One candle at a time through one compiled loop: the quickest way, in a tenth of the time of the graph.

The loop is compiled when the first step is made on a machine, some ten seconds, and kept on disk there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from triptych.domain.errors import ArtifactError, DataError
from triptych.inference.classifier import WindowClassifier
from triptych.inference.step import AbstractStep, State, streams
from triptych.models.xlstm._step_kernels import run_step
from triptych.models.xlstm.step_program import StepProgram


def compiles(classifier: WindowClassifier) -> bool:
    """Whether the classifier has a compiled step: one that streams, with a linear embedding."""
    network = classifier.network
    return streams(classifier) and isinstance(network.embed, nn.Linear) and isinstance(network.fc, nn.Linear)


class CompiledStep(AbstractStep):
    """The step through a compiled loop, on one thread of the CPU; calls do not disturb one another.

    Its state is one array of shape (batch, numbers): the graph's state tensors of a row one behind another, so a row
    begins anew by `state[0][row] = step.fresh(1)[0][0]`.

    Raises ArtifactError for a network that has none, see `compiles`.
    """

    def __init__(self, classifier: WindowClassifier) -> None:
        if not compiles(classifier):
            raise ArtifactError(
                "The model has no compiled step: it cannot answer candle by candle, or selects its variables.",
                remedy="Use its step through ONNX Runtime, or predict from windows.",
            )
        network: Any = classifier.network
        encoding: Any = classifier.encoding
        self._program = StepProgram(network.embed, network.encoder.stack, network.fc)
        self._columns, self._classes = network.in_chans, network.num_classes
        self._clip = np.float32(encoding.clip)
        # Compiled here, and not at the first candle, for which there is a deadline.
        self(np.zeros((1, self._columns), np.float32), self.fresh(1))

    def fresh(self, batch: int) -> State:
        return [np.tile(self._program.fresh, (batch, 1))]

    def __call__(self, rows: NDArray[np.float32], state: State) -> tuple[NDArray[np.float32], State]:
        program = self._program
        rows, before = _usable(rows), _usable(state[0])
        if rows.shape != (len(before), self._columns) or before.shape[1] != len(program.fresh):
            raise DataError(
                f"Expected rows ({len(before)}, {self._columns}) and states ({len(before)}, {len(program.fresh)}), "
                f"was rows {rows.shape} and states {before.shape}."
            )
        after, found = np.empty_like(before), np.empty((len(rows), self._classes), np.float32)
        run_step(program.operations, program.weights, rows, self._clip, before, after, program.width, found)
        return found, [after]

    def tensors(self, state: State) -> State:
        """The same state as the graph has it: one array a tensor, each of shape (batch, ...)."""
        sizes = [int(np.prod(shape)) for shape in self._program.state_shapes]
        parts = np.split(state[0], np.cumsum(sizes)[:-1], axis=1)
        return [part.reshape(-1, *shape) for part, shape in zip(parts, self._program.state_shapes, strict=True)]


def _usable(array: NDArray[np.floating]) -> NDArray[np.float32]:
    """As the loop was compiled for it: for memory of another kind it would be compiled again."""
    array = np.ascontiguousarray(array, dtype=np.float32)
    return array if array.flags.writeable else array.copy()
