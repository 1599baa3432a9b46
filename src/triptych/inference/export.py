"""The ONNX graph of a classifier: raw candle windows in, probabilities out, the encoding inside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from triptych.domain import CANDLE_FIELDS
from triptych.domain.errors import ArtifactError
from triptych.inference.classifier import (
    ForecastHead,
    ProbabilityHead,
    StepwiseHead,
    TaskHead,
    WindowClassifier,
)
from triptych.inference.predictor import FIGURES, RETURN, OnnxPredictor, TorchPredictor
from triptych.inference.quiet_export import quiet_export

INPUT, OUTPUT = "window", "probabilities"
TREE_INPUTS = "tree_inputs"
"""Output of a graph with trees: what they read."""
OPSET = 18
TOLERANCE = 1e-4
INPUT_TOLERANCE = 0.01
"""Standard deviations by which what trees read may differ: the trees' training leaves out what has less than 1e-5 of
the features' size, of which float32 loses some 1e-8."""
LEAST_ALIKE = 0.95
"""Share of the windows of which graph and network with trees must say the same."""


def export_onnx(classifier: WindowClassifier, length: int, path: Path, *, width: int = len(CANDLE_FIELDS)) -> None:
    """Write the graph for windows of shape (batch, length, width), float32, any batch size."""
    foretells = classifier.foretells_return
    outputs = [OUTPUT]
    head: nn.Module = ProbabilityHead(classifier)
    if classifier.is_stepwise:
        head, outputs = StepwiseHead(classifier), [OUTPUT, TREE_INPUTS]
    elif classifier.tasks:
        head, outputs = TaskHead(classifier), [OUTPUT, *(FIGURES[task] for task in classifier.tasks)]
    elif foretells:
        head, outputs = ForecastHead(classifier), [OUTPUT, RETURN]
    head = head.eval().cpu()
    window = torch.linspace(1.0, 2.0, 2 * length * width).reshape(2, length, width)
    with quiet_export(), torch.no_grad():
        program = torch.onnx.export(
            head,
            (window,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=outputs,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            verbose=False,
        )
        assert program is not None
        program.save(str(path), external_data=False)


def largest_difference(classifier: WindowClassifier, path: Path, windows: NDArray[np.float32]) -> float:
    """Largest difference in probability between PyTorch and ONNX Runtime over `windows`, (batch, length, width).

    Of a network with trees it is that of the trees on the same inputs, see `_difference_of_stages`.
    Raises ArtifactError when it is above 1e-4: such a graph must not be served.
    """
    length, width = windows.shape[1:]
    if classifier.is_stepwise:
        return _difference_of_stages(classifier, path, windows)
    torch_side = TorchPredictor(classifier, length=length, width=width).probabilities(windows)
    onnx_side = OnnxPredictor(path, length=length, width=width).probabilities(windows)
    difference = float(np.abs(torch_side - onnx_side).max())
    if not difference <= TOLERANCE:
        raise _unlike(path, f"differs from the network by {difference:.2g}, more than {TOLERANCE:.0e}")
    return difference


def _difference_of_stages(classifier: WindowClassifier, path: Path, windows: NDArray[np.float32]) -> float:
    """Largest difference in probability that graph and network make of the same tree inputs.

    Where an input lies on a threshold, the last bit decides to which side it falls; neither side is wrong. So what the
    trees read is compared by itself, in its standard deviations over the training windows, and what comes out by the
    share of the windows of which both say the same.
    """
    length, width = windows.shape[1:]
    probabilities, inputs = OnnxPredictor(path, length=length, width=width).outputs(windows, (OUTPUT, TREE_INPUTS))
    with torch.inference_mode():
        ours, ours_in = (one.numpy() for one in StepwiseHead(classifier).eval()(torch.from_numpy(windows)))
        same = torch.softmax(classifier.network.trees(torch.from_numpy(inputs)), dim=1).numpy()  # type: ignore[operator]
    apart = float(np.abs(inputs - ours_in).max())
    if not apart <= INPUT_TOLERANCE:
        raise _unlike(path, f"reads features {apart:.2g} standard deviations from the network's")
    difference = float(np.abs(probabilities - same).max())
    if not difference <= TOLERANCE:
        raise _unlike(path, f"has trees that differ from the network's by {difference:.2g}, more than {TOLERANCE:.0e}")
    alike = float((np.abs(probabilities - ours).max(axis=1) <= TOLERANCE).mean())
    if alike < LEAST_ALIKE:
        raise _unlike(path, f"says of {1.0 - alike:.0%} of the windows something else than the network")
    return difference


def _unlike(path: Path, what: str) -> ArtifactError:
    return ArtifactError(
        f"{path}: the exported graph {what}.",
        remedy="No artifact was written. Train with another `seed`, and report this with the recipe.",
    )
