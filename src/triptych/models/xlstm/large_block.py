"""The block of xLSTM 7B: mLSTM without a projection before it, then a feed-forward, both after root-mean-square norms.

Source: Beck et al. 2025, "xLSTM 7B", arXiv 2503.13427, section 3. Stability comes from the norm, from soft-capped gates
and from input gates that start nearly shut.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.models.xlstm import mlstm_cell
from triptych.models.xlstm.block import BlockState
from triptych.models.xlstm.config import Config
from triptych.models.xlstm.feedforward import GatedFeedForward
from triptych.models.xlstm.norms import HeadNorm, RootMeanSquareNorm

EPSILON = 1e-6


class LargeBlock(nn.Module):
    """x + mLSTM(norm(x)), then x + feed-forward(norm(x))."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, heads, queries = config.width, config.heads, config.query_width
        self.heads, self.query_width, self.value_width = heads, queries // heads, width // heads
        self.chunk, self.soft_cap = config.chunk, config.gate_cap
        self.norm = RootMeanSquareNorm(width, EPSILON)
        self.query = nn.Linear(width, queries, bias=False)
        self.key = nn.Linear(width, queries, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output_gate = nn.Linear(width, width, bias=False)
        self.input_gate = nn.Linear(width, heads)
        self.forget_gate = nn.Linear(width, heads)
        self.head_norm = HeadNorm(heads, self.value_width, EPSILON)
        self.down = nn.Linear(width, width, bias=False)
        self.feedforward_norm = RootMeanSquareNorm(width, EPSILON)
        self.feedforward = GatedFeedForward(width, config.feedforward_width, activation=config.opening)

    def fresh_state(self, batch: int, like: Tensor) -> BlockState:
        """The state of rows that have seen nothing: C (B, N, K, V), n (B, N, K), m (B, N)."""
        return mlstm_cell.fresh_state(batch, self.heads, self.query_width, self.value_width, like)

    def forward(self, x_BSD: Tensor, state: BlockState) -> tuple[Tensor, BlockState]:
        """A sequence, and the state after it."""
        seen = self.norm(x_BSD)
        memory, mass, m = state
        h, after = mlstm_cell.sequence(*self._inputs(seen), (memory, mass, m), self.chunk)
        return self._out(x_BSD, seen, h), after

    def step(self, x_BD: Tensor, state: BlockState) -> tuple[Tensor, BlockState]:
        """One step, and the state after it."""
        seen = self.norm(x_BD)
        memory, mass, m = state
        h, after = mlstm_cell.step(*self._inputs(seen), (memory, mass, m))
        return self._out(x_BD, seen, h), after

    def _inputs(self, seen: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Queries, keys and values of shape (..., heads, width of each), input and forget gates (..., heads)."""
        query, key = (torch.unflatten(of(seen), -1, (self.heads, self.query_width)) for of in (self.query, self.key))
        value = torch.unflatten(self.value(seen), -1, (self.heads, self.value_width))
        i, f = self.input_gate(seen), self.forget_gate(seen)
        if self.soft_cap:
            i, f = (self.soft_cap * torch.tanh(one / self.soft_cap) for one in (i, f))
        return query, key, value, i, f

    def _out(self, x: Tensor, seen: Tensor, h_NV: Tensor) -> Tensor:
        x = x + self.down(torch.sigmoid(self.output_gate(seen)) * self.head_norm(h_NV))
        out: Tensor = x + self.feedforward(self.feedforward_norm(x))
        return out
