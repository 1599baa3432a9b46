"""Causal depthwise convolution over time and a SiLU, for whole sequences and step by step."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triptych.models.xlstm.fused import convolved


class CausalConvolution(nn.Module):
    """Each channel is filtered over its last `kernel` steps, then opened by a SiLU.

    The state: the `kernel` - 1 steps before the next.
    """

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, kernel, groups=width)
        self.kernel = kernel

    def fresh_state(self, batch: int, like: Tensor) -> Tensor:
        """Zeros of shape (batch, kernel - 1, width): nothing has been seen."""
        return like.new_zeros(batch, self.kernel - 1, self.conv.in_channels)

    def forward(self, x_BSD: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """A sequence of shape (B, S, D): filtered and opened, and the state after it."""
        after = torch.cat([state, x_BSD[:, 1 - self.kernel :]], dim=1)[:, 1 - self.kernel :]
        return convolved(x_BSD, state, self.conv.weight[:, 0].T, self._bias()), after

    def step(self, x_BD: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step of shape (B, D): filtered and opened, and the state after it."""
        seen = torch.cat([state, x_BD[:, None]], dim=1)
        filtered = (seen * self.conv.weight[:, 0].T).sum(dim=1)
        return F.silu(filtered + self._bias()), seen[:, 1:]

    def _bias(self) -> Tensor:
        assert self.conv.bias is not None
        return self.conv.bias
