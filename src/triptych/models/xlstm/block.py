"""Blocks: a layer on the normalised input, added to the input."""

from __future__ import annotations

from torch import Tensor, nn

from triptych.models.xlstm.config import Config
from triptych.models.xlstm.feedforward import GatedFeedForward
from triptych.models.xlstm.mlstm_layer import MLSTMLayer
from triptych.models.xlstm.norms import LayerNorm
from triptych.models.xlstm.slstm_layer import SLSTMLayer

BlockState = tuple[Tensor, ...]
"""What a block remembers; which tensors, its layer says."""


class ResidualBlock(nn.Module):
    """x + layer(norm(x)), and where there is a feed-forward, x + feed-forward(norm(x)) after it."""

    def __init__(self, layer: MLSTMLayer | SLSTMLayer, feedforward: GatedFeedForward | None, width: int) -> None:
        super().__init__()
        self.norm = LayerNorm(width)
        self.layer = layer
        self.feedforward_norm = LayerNorm(width) if feedforward is not None else None
        self.feedforward = feedforward

    def fresh_state(self, batch: int, like: Tensor) -> BlockState:
        """The state of rows that have seen nothing."""
        return self.layer.fresh_state(batch, like)

    def forward(self, x_BSD: Tensor, state: BlockState) -> tuple[Tensor, BlockState]:
        """A sequence, and the state after it."""
        out, state = self.layer(self.norm(x_BSD), state)
        return self._fed(x_BSD + out), state

    def step(self, x_BD: Tensor, state: BlockState) -> tuple[Tensor, BlockState]:
        """One step, and the state after it."""
        out, state = self.layer.step(self.norm(x_BD), state)
        return self._fed(x_BD + out), state

    def _fed(self, x: Tensor) -> Tensor:
        if self.feedforward is None or self.feedforward_norm is None:
            return x
        fed: Tensor = self.feedforward(self.feedforward_norm(x))
        return x + fed


def residual_block(config: Config, place: int) -> ResidualBlock:
    """The block at one place of a residual stack, with torch's first weights."""
    if place not in config.slstm_places:
        mlstm = MLSTMLayer(
            config.width,
            config.heads,
            inner=config.inner,
            block=config.block_size,
            kernel=config.kernel,
            dropout=config.dropout,
            chunk=config.chunk,
            soft_cap=config.gate_cap,
        )
        return ResidualBlock(mlstm, None, config.width)
    feedforward = None
    if config.feedforward_width:
        feedforward = GatedFeedForward(
            config.width, config.feedforward_width, activation=config.opening, dropout=config.dropout
        )
    slstm = SLSTMLayer(config.width, config.heads, kernel=config.kernel, dropout=config.dropout)
    return ResidualBlock(slstm, feedforward, config.width)
