"""Gated feed-forward: half of the projection opens the other half."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triptych.models.xlstm.fused import bell_gated

Activation = Literal["gelu", "relu", "relu2", "sigmoid", "silu", "selu"]
ACTIVATIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "gelu": F.gelu,
    "relu": F.relu,
    "relu2": lambda x: F.relu(x).square(),
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "selu": F.selu,
}


class GatedFeedForward(nn.Module):
    """From (..., width) to the same shape, `inner` wide inside."""

    def __init__(self, width: int, inner: int, *, activation: Activation = "gelu", dropout: float = 0.0) -> None:
        super().__init__()
        self.up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.opening: Activation = activation
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        """Transform each step by itself."""
        out: Tensor = self.dropout(self.down(self._gated(self.up(x))))
        return out

    def _gated(self, x: Tensor) -> Tensor:
        if self.activation is F.gelu:
            return bell_gated(x)
        gate, value = x.chunk(2, dim=-1)
        return self.activation(gate) * value
