"""Block-diagonal linear maps: every block of the input has a matrix of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.models.xlstm.fused import quads

DENSE_UP_TO = 256
"""Widest map that is multiplied as one matrix: below it, one product beats many tiny ones, zeros and all."""


class HeadwiseLinear(nn.Module):
    """n independent maps of (width / n -> outputs), without a bias.

    The weight has shape (blocks, outputs of a block, inputs of a block).
    """

    def __init__(self, width: int, blocks: int, outputs: int | None = None) -> None:
        super().__init__()
        inputs = width // blocks
        self.blocks = blocks
        self.weight = nn.Parameter(torch.empty(blocks, inputs if outputs is None else outputs, inputs))

    def forward(self, x: Tensor) -> Tensor:
        """From shape (..., width) to (..., blocks * outputs)."""
        out = quads(x, self.weight)
        if out is not None:
            return out
        blocks, outputs, inputs = self.weight.shape
        if blocks * inputs <= DENSE_UP_TO:
            own = torch.eye(blocks, dtype=x.dtype, device=x.device)[:, None, :, None]
            dense = (self.weight[:, :, None, :] * own).reshape(blocks * outputs, blocks * inputs)
            return nn.functional.linear(x, dense)
        parts = torch.unflatten(x, -1, (blocks, 1, inputs))
        return torch.matmul(parts, self.weight.transpose(1, 2)).flatten(-3)
