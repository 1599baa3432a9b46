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

    Raises ArtifactError when it is above 1e-4: such a graph must not be served.
    """
    length, width = windows.shape[1:]
    torch_side = TorchPredictor(classifier, length=length, width=width).probabilities(windows)
    onnx_side = OnnxPredictor(path, length=length, width=width).probabilities(windows)
    difference = float(np.abs(torch_side - onnx_side).max())
    if classifier.is_stepwise:
        difference = _difference_of_stages(classifier, path, windows)
    if not difference <= TOLERANCE:
        raise ArtifactError(
            f"{path}: the exported graph differs from the network by {difference:.2g}, more than {TOLERANCE:.0e}.",
            remedy="Report this with the recipe; until then predict with `--backend torch`.",
        )
    return difference


def _difference_of_stages(classifier: WindowClassifier, path: Path, windows: NDArray[np.float32]) -> float:
    """The larger of two differences: in what the trees read, and in what they make of the same.

    Where an input lies on a threshold, the last bit decides to which side it falls; neither side is wrong.
    """
    length, width = windows.shape[1:]
    probabilities, inputs = OnnxPredictor(path, length=length, width=width).outputs(windows, (OUTPUT, TREE_INPUTS))
    with torch.inference_mode():
        ours = StepwiseHead(classifier).eval()(torch.from_numpy(windows))[1].numpy()
        same = torch.softmax(classifier.network.trees(torch.from_numpy(inputs)), dim=1).numpy()  # type: ignore[operator]
    scale = max(1.0, float(np.abs(ours).max()))
    return max(float(np.abs(inputs - ours).max()) / scale, float(np.abs(probabilities - same).max()))
