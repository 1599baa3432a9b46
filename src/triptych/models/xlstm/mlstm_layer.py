"""The mLSTM layer: projected up, convolved, remembered, gated, projected down."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triptych.models.xlstm import mlstm_cell
from triptych.models.xlstm.convolution import CausalConvolution
from triptych.models.xlstm.headwise import HeadwiseLinear
from triptych.models.xlstm.norms import HeadNorm

State = tuple[Tensor, ...]
"""C (B, N, K, K), n (B, N, K), m (B, N) of the cell, and the state of the convolution where there is one."""


class MLSTMLayer(nn.Module):
    """From (B, S, D) to the same shape; inside it is `inner` wide, which the heads divide."""

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        inner: int,
        block: int = 4,
        kernel: int = 4,
        dropout: float = 0.0,
        chunk: int = mlstm_cell.CHUNK,
        soft_cap: float = 0.0,
    ) -> None:
        super().__init__()
        self.heads, self.head_width, self.chunk, self.soft_cap = heads, inner // heads, chunk, soft_cap
        self.up = nn.Linear(width, 2 * inner, bias=False)
        self.convolution = CausalConvolution(inner, kernel) if kernel else None
        self.query = HeadwiseLinear(inner, inner // block)
        self.key = HeadwiseLinear(inner, inner // block)
        self.value = HeadwiseLinear(inner, inner // block)
        self.input_gate = nn.Linear(3 * inner, heads)
        self.forget_gate = nn.Linear(3 * inner, heads)
        self.norm = HeadNorm(heads, self.head_width)
        self.skip = nn.Parameter(torch.ones(inner))
        self.down = nn.Linear(inner, width, bias=False)
        self.dropout = nn.Dropout(dropout)

    def fresh_state(self, batch: int, like: Tensor) -> State:
        """The state of rows that have seen nothing."""
        cell = mlstm_cell.fresh_state(batch, self.heads, self.head_width, self.head_width, like)
        return cell if self.convolution is None else (*cell, self.convolution.fresh_state(batch, like))

    def forward(self, x_BSD: Tensor, state: State) -> tuple[Tensor, State]:
        """A sequence, and the state after it."""
        a, gate = self.up(x_BSD).chunk(2, dim=-1)
        convolved, tail = a, state[3:]
        if self.convolution is not None:
            filtered, after = self.convolution(a, state[3])
            convolved, tail = F.silu(filtered), (after,)
        q, k, v = self.query(convolved), self.key(convolved), self.value(a)
        i, f = self._gates(q, k, v)
        q, k, v = (torch.unflatten(one, -1, (self.heads, self.head_width)) for one in (q, k, v))
        h_BSNK, cell = mlstm_cell.sequence(q, k, v, i, f, _cell(state), self.chunk)
        return self._out(h_BSNK, convolved, gate), (*cell, *tail)

    def step(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        """One step, and the state after it."""
        a, gate = self.up(x_BD).chunk(2, dim=-1)
        convolved, tail = a, state[3:]
        if self.convolution is not None:
            filtered, after = self.convolution.step(a, state[3])
            convolved, tail = F.silu(filtered), (after,)
        q, k, v = self.query(convolved), self.key(convolved), self.value(a)
        i, f = self._gates(q, k, v)
        q, k, v = (torch.unflatten(one, -1, (self.heads, self.head_width)) for one in (q, k, v))
        h_BNK, cell = mlstm_cell.step(q, k, v, i, f, _cell(state))
        return self._out(h_BNK, convolved, gate), (*cell, *tail)

    def _gates(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Pre-activations of input and forget gate, shape (..., heads)."""
        seen = torch.cat([q, k, v], dim=-1)
        i, f = self.input_gate(seen), self.forget_gate(seen)
        if self.soft_cap:
            i, f = (self.soft_cap * torch.tanh(one / self.soft_cap) for one in (i, f))
        return i, f

    def _out(self, h_NK: Tensor, convolved: Tensor, gate: Tensor) -> Tensor:
        h = self.norm(h_NK) + self.skip * convolved
        out: Tensor = self.dropout(self.down(h * F.silu(gate)))
        return out


def _cell(state: State) -> mlstm_cell.State:
    memory, mass, m = state[:3]
    return memory, mass, m
