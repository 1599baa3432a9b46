"""Networks that answer several questions at once: for every label a probability and some numbers from 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


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
