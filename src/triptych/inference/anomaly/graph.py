"""The network of a CATCH detector as an ONNX graph: scaled windows in, reconstructions out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor, nn

from triptych.domain.errors import ArtifactError
from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.catch import CatchDetector
from triptych.inference.quiet_export import quiet_export

_TOLERANCE: Final = 1e-4


def export_onnx(detector: CatchDetector, path: Path) -> None:
    """Write the graph of the network: scaled windows (batch, rows, channels), float32, to their reconstructions
    or, where rows are hidden, to mean and logarithm of the scale of those (batch, rows, channels, 2).

    Raises ArtifactError for networks of complex numbers and for those of the reference.
    """
    config = detector.config.network
    if why_no_graph(detector):
        raise ArtifactError(
            "Only networks of real numbers with decided masks can be exported to ONNX.",
            remedy='Fit with attention = "real" and without the choices of the reference.',
        )
    windows = torch.zeros(2, config.length, len(detector.columns_))
    windows[:, ::2] = 1.0
    with quiet_export(), torch.no_grad():
        program = torch.onnx.export(
            _Graph(detector.network), (windows,), dynamo=True, opset_version=18, verbose=False,
            input_names=["windows"], output_names=["foretold" if config.hidden_rows else "reconstruction"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        )  # fmt: skip
        assert program is not None
        program.save(str(path), external_data=False)


def why_no_graph(detector: AbstractDetector) -> str:
    """Why a detector has no graph; empty where its network can be exported."""
    if not isinstance(detector, CatchDetector):
        return "none: only the network of CATCH alone has one"
    if detector.config.network.attention == "complex":
        return "none: ONNX has no complex numbers"
    if "noisy_evaluation" in detector.config.network.undone:
        return "none: the masks of the reference are random"
    if "full_transform" in detector.config.network.undone:
        return "none: ONNX has no complex numbers, and the reference's transform gives them"
    return ""


class _Graph(nn.Module):
    """The network with windows as its only input."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, windows: Tensor) -> Tensor:
        reconstruction: Tensor = self.network(windows)
        return reconstruction


def difference_of(detector: CatchDetector, path: Path) -> float:
    """Largest difference between graph and network over random windows. Raises ArtifactError above 1e-4."""
    generator = torch.Generator().manual_seed(0)
    windows = torch.randn(5, detector.memory, len(detector.columns_), generator=generator)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    from_graph = session.run(None, {"windows": windows.numpy()})[0]
    with torch.inference_mode():
        from_network = detector.network(windows).numpy()
    difference = float(np.abs(from_graph - from_network).max())
    if not difference <= _TOLERANCE:
        raise ArtifactError(
            f"The exported graph differs from the network by {difference:.2g}, more than {_TOLERANCE:.0e}.",
            remedy="Report this with the settings of the detector.",
        )
    return difference
