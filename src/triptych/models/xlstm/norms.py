"""Normalisations without a bias: over the width, over each head, by the root mean square."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-5


class LayerNorm(nn.Module):
    """Over the last axis; the scale is 1 + weight, so that weight decay pulls it towards 1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; any shape (..., width)."""
        return F.layer_norm(x, self.weight.shape, 1.0 + self.weight, None, EPSILON)


class HeadNorm(nn.Module):
    """Over the width of each head by itself; the scale, one for each head and place, is 1 + weight."""

    def __init__(self, heads: int, width: int, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(heads * width))
        self.epsilon = epsilon

    def forward(self, x_NK: Tensor) -> Tensor:
        """From shape (..., heads, head width) to (..., heads * head width)."""
        normal = F.layer_norm(x_NK, x_NK.shape[-1:], None, None, self.epsilon)
        return normal.flatten(-2) * (1.0 + self.weight)


class RootMeanSquareNorm(nn.Module):
    """x / sqrt(mean of x^2), scaled; computed in single precision whatever comes in."""

    def __init__(self, width: int, epsilon: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; any shape (..., width)."""
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        scale = torch.rsqrt(wide.pow(2).mean(dim=-1, keepdim=True) + self.epsilon)
        return (wide * scale).to(x.dtype) * self.weight
