"""One network, several questions: the direction, and beside it figures such as the size of the move.

The last layer of any network is widened by one output a figure. Its rows do not know one another, so this is one linear
head a question on shared features.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class MultiTaskNetwork(nn.Module):
    """A network of classes + figures outputs, read as class scores and figures.

    Attributes:
        body: the network; its last layer has `classes` plus one output a task.
        tasks: names of the figures, such as size, volatility.
    """

    def __init__(self, body: nn.Module, tasks: tuple[str, ...], *, classes: int = 3) -> None:
        super().__init__()
        self.body = body
        self.tasks = tasks
        self.classes = classes
        self.register_buffer("task_mean", torch.zeros(len(tasks)))
        self.register_buffer("task_scale", torch.ones(len(tasks)))

    def outputs(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Class scores, (batch, classes), and figures in standard deviations from their mean, (batch, tasks)."""
        found: Any = self.body(x_BCHW)
        return found[:, : self.classes], found[:, self.classes :]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Class scores of shape (batch, classes)."""
        return self.outputs(x_BCHW)[0]

    def scores_and_figures(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Class scores, and figures in their own units, (batch, tasks); of volatility its logarithm."""
        scores, figures = self.outputs(x_BCHW)
        return scores, figures * self.get_buffer("task_scale") + self.get_buffer("task_mean")


def body_of(network: nn.Module) -> nn.Module:
    """The network itself, without what was put around it to answer more questions."""
    return network.body if isinstance(network, MultiTaskNetwork) else network
