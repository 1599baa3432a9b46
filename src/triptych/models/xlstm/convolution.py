"""Causal depthwise convolution over time, for whole sequences and step by step."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CausalConvolution(nn.Module):
    """Each channel is filtered over its last `kernel` steps. The state: the `kernel` - 1 steps before the next."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, kernel, groups=width)
        self.kernel = kernel

    def fresh_state(self, batch: int, like: Tensor) -> Tensor:
        """Zeros of shape (batch, kernel - 1, width): nothing has been seen."""
        return like.new_zeros(batch, self.kernel - 1, self.conv.in_channels)

    def forward(self, x_BSD: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """A sequence of shape (B, S, D): filtered, and the state after it."""
        seen = torch.cat([state, x_BSD], dim=1)
        # A sum of shifted products: a handful of passes, faster on the CPU than a grouped convolution of short kernels.
        length, weight = x_BSD.shape[1], self.conv.weight[:, 0]
        filtered = self._bias()
        for lag in range(self.kernel):
            filtered = torch.addcmul(filtered, seen[:, lag : lag + length], weight[:, lag])
        return filtered, seen[:, length:]

    def step(self, x_BD: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step of shape (B, D): filtered, and the state after it."""
        seen = torch.cat([state, x_BD[:, None]], dim=1)
        filtered = (seen * self.conv.weight[:, 0].T).sum(dim=1)
        return filtered + self._bias(), seen[:, 1:]

    def _bias(self) -> Tensor:
        assert self.conv.bias is not None
        return self.conv.bias
