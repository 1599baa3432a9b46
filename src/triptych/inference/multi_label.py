"""Networks that answer several questions at once: for every label a probability and some numbers from 0 to 1."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from triptych.domain.errors import ArtifactError
from triptych.domain.files import write_bytes, write_json
from triptych.models.safetensors_file import read_safetensors

WEIGHTS, CARD = "weights.safetensors", "card.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class MultiLabelAnswer:
    """What a network says about a batch.

    Attributes:
        probability: float tensor of shape (batch, labels), each from 0 to 1; they need not sum to 1.
        numbers: float tensor of shape (batch, labels, numbers), each from 0 to 1, what they mean stands in `names`.
    """

    probability: Tensor
    numbers: Tensor


class MultiLabelNetwork(nn.Module):
    """A network of `n_outputs` outputs read as labels, each with a logit and numbers of its own.

    Attributes:
        labels: names of the labels.
        names: what the numbers of each label are, such as start, end, quality.
    """

    def __init__(self, body: nn.Module, labels: tuple[str, ...], names: tuple[str, ...]) -> None:
        super().__init__()
        self.body = body
        self.labels = labels
        self.names = names

    @staticmethod
    def n_outputs(labels: tuple[str, ...], names: tuple[str, ...]) -> int:
        """Outputs that the body must have."""
        return len(labels) * (1 + len(names))

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Logits of shape (batch, labels, 1 + numbers): the label's own, then those of its numbers."""
        scores: Tensor = self.body(window_BTF)
        # shape[0] and not len(): that would become a number when the graph is exported.
        return scores.view(scores.shape[0], len(self.labels), 1 + len(self.names))

    @torch.inference_mode()
    def answer(self, window_BTF: Tensor) -> MultiLabelAnswer:
        """Probabilities and numbers in evaluation mode, batch norm's statistics fixed."""
        was_training = self.training
        self.eval()
        scores = torch.sigmoid(self(window_BTF).float())
        self.train(was_training)
        return MultiLabelAnswer(probability=scores[..., 0], numbers=scores[..., 1:])


def save_multi_label(folder: Path, network: MultiLabelNetwork, card: dict[str, Any]) -> Path:
    """Write weights (safetensors) and card (JSON) of a network; the card says how its body is built anew."""
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    write_bytes(folder / WEIGHTS, save(state))
    content = {**card, "labels": list(network.labels), "numbers": list(network.names)}
    write_json(folder / CARD, content)
    return folder


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a saved network. Raises ArtifactError where there is none."""
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ArtifactError(
            f"{folder} holds no network of patterns: {CARD} is missing or damaged.", remedy="Train it again."
        ) from error
    return card


def load_weights_into(folder: Path, network: MultiLabelNetwork) -> MultiLabelNetwork:
    """Fill a network that was built by its card with the weights of the folder. Raises ArtifactError on a misfit."""
    try:
        network.load_state_dict(read_safetensors(folder / WEIGHTS))
    except RuntimeError as error:
        raise ArtifactError(f"{folder / WEIGHTS} does not fit its card: {error}", remedy="Train it again.") from error
    return network.eval()
