"""Auxiliary classifiers: they carry the gradient into the middle of the network while it learns, and then go."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from triptych.models.googlenet.layers import Convolution
from triptych.models.pooling import GridPooling

GRID = 4
DROP_RATE = 0.7


class GoogLeNetOutputs(NamedTuple):
    """Logits of shape (batch, num_classes) each, in torchvision's order: the network's own, the later, the earlier."""

    logits: Tensor
    aux_logits2: Tensor
    aux_logits1: Tensor


class AuxiliaryClassifier(nn.Module):
    """4x4 pooling, 1x1 convolution, hidden layer, dropout 0.7, linear classifier (paper, section 5).

    Args:
        in_channels: of the map it reads.
        channels: of its convolution.
        hidden: features of its hidden layer.
        num_classes: classes.
        batch_norm: see `Convolution`.
        pool: see `Form.auxiliary_pool`.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        channels: int,
        hidden: int,
        num_classes: int,
        batch_norm: bool,
        pool: Literal["paper", "adaptive"],
    ) -> None:
        super().__init__()
        self.takes_fives = pool == "paper"
        self.grid = GridPooling("avg", GRID)
        self.conv = Convolution(in_channels, channels, 1, batch_norm=batch_norm)
        self.fc1 = nn.Linear(channels * GRID * GRID, hidden)
        self.fc2 = nn.Linear(hidden, num_classes)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Logits of shape (batch, num_classes) for a map of any size."""
        if self.takes_fives and min(x_BCHW.shape[2:]) >= 14:
            x_BCHW = F.avg_pool2d(x_BCHW, 5, stride=3)
        x_BCHW = self.conv(self.grid(x_BCHW))
        hidden_BF = F.dropout(F.relu(self.fc1(x_BCHW.flatten(1))), DROP_RATE, self.training)
        logits: Tensor = self.fc2(hidden_BF)
        return logits
