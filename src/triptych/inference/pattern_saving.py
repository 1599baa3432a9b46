"""Networks of patterns saved: weights (safetensors), the ONNX graph and a card. Loading one never runs code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from triptych.domain.errors import ArtifactError
from triptych.domain.files import writing_folder
from triptych.inference.multi_label import MultiLabelNetwork
from triptych.inference.pattern_card import AGAIN, CARD, GRAPH, WEIGHTS, PatternCard
from triptych.inference.predictor import OnnxPredictor
from triptych.inference.quiet_export import quiet_export
from triptych.inference.saved_files import sha256_of

INPUT, OUTPUT = "window", "answers"
OPSET = 18
TOLERANCE = 1e-4


class AnswerHead(nn.Module):
    """A network of patterns whose output is probabilities and numbers: the graph that is exported."""

    def __init__(self, network: MultiLabelNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Answers of shape (batch, labels, 1 + numbers), from 0 to 1."""
        return torch.sigmoid(self.network(window_BTF))


def save_pattern_network(
    folder: Path, network: MultiLabelNetwork, card: PatternCard, probe_windows: NDArray[np.float32]
) -> PatternCard:
    """Write a trained network: complete or not at all; an older one in the folder is replaced.

    Args:
        folder: where it shall be.
        network: with its encoding.
        card: hashes of the files and the measured difference of the graph are filled in here.
        probe_windows: float32 (batch, length, 5), windows on which graph and network must agree to 1e-4.

    Raises ArtifactError when they do not, StorageError when the disk refuses.
    """
    network = network.cpu().eval()
    with writing_folder(folder, "network") as temporary:
        weights = save({name: value.detach().contiguous() for name, value in network.state_dict().items()})
        (temporary / WEIGHTS).write_bytes(weights)
        _export(network, card.length, temporary / GRAPH)
        difference = _difference(network, temporary / GRAPH, probe_windows)
        files = {name: sha256_of(temporary / name) for name in (GRAPH, WEIGHTS)}
        card = card.model_copy(update={"files": files, "onnx_difference": float(f"{difference:.1e}")})
        (temporary / CARD).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return card


def restore_weights(folder: Path, network: MultiLabelNetwork) -> None:
    """Fill a network that was built by its card, and leave it in evaluation mode. Raises ArtifactError on a misfit."""
    try:
        network.load_state_dict(load_file(str(folder / WEIGHTS)))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ArtifactError(f"{folder / WEIGHTS} does not fit its card: {error}", remedy=AGAIN) from error
    network.eval()


def _export(network: MultiLabelNetwork, length: int, path: Path) -> None:
    """Write the graph for windows of shape (batch, length, 5), float32, any batch size."""
    window = torch.linspace(1.0, 2.0, 2 * length * 5).reshape(2, length, 5)
    with quiet_export(), torch.no_grad():
        program = torch.onnx.export(
            AnswerHead(network).eval(),
            (window,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            verbose=False,
        )
        assert program is not None
        program.save(str(path), external_data=False)


def _difference(network: MultiLabelNetwork, path: Path, windows: NDArray[np.float32]) -> float:
    """Largest difference between PyTorch and ONNX Runtime. Raises ArtifactError when it is above 1e-4."""
    with torch.inference_mode():
        ours = AnswerHead(network).eval()(torch.from_numpy(np.ascontiguousarray(windows))).numpy()
    (graph,) = OnnxPredictor(path, length=windows.shape[1]).outputs(windows, (OUTPUT,))
    difference = float(np.abs(ours - graph).max())
    if not difference <= TOLERANCE:
        raise ArtifactError(
            f"{path}: the exported graph differs from the network by {difference:.2g}, more than {TOLERANCE:.0e}.",
            remedy="No network was written. Train with another `seed`, and report this with the recipe.",
        )
    return difference
