"""The smallest network that trains with an auxiliary classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TwoHeaded(nn.Module):
    """A hidden layer, a classifier on it, and in training mode a second one that is handed in."""

    def __init__(self, length: int, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.hidden, self.last = nn.Linear(length, 8), nn.Linear(8, 3)

    def create_auxiliary(self, seed: int | None = None) -> nn.ModuleList:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed or 0)
            return nn.ModuleList([nn.Linear(8, 3)])

    def forward(self, image: Tensor, auxiliary: nn.ModuleList | None = None) -> Tensor | tuple[Tensor, Tensor]:
        hidden = torch.relu(self.hidden(image.flatten(1)))
        if self.training and auxiliary is not None:
            return self.last(hidden), auxiliary[0](hidden)
        return self.last(hidden)
