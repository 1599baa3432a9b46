"""The mLSTM layer: projected up, convolved, remembered, gated, projected down."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triptych.models.xlstm import mlstm_cell
from triptych.models.xlstm.convolution import CausalConvolution
from triptych.models.xlstm.fused import gated
from triptych.models.xlstm.headwise import HeadwiseLinear
from triptych.models.xlstm.mlstm_mapped import mapped_sequence
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
        a, gate = (F.linear(x_BSD, half) for half in self.up.weight.chunk(2))
        convolved, tail = a, state[3:]
        if self.convolution is not None:
            convolved, after = self.convolution(a, state[3])
            tail = (after,)
        h_BSNK, cell = self._remembered(convolved, a, _cell(state))
        out = gated(h_BSNK, 1.0 + self.norm.weight, self.skip, convolved, gate, self.norm.epsilon)
        return self.dropout(self.down(out)), (*cell, *tail)

    def step(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        """One step, and the state after it."""
        a, gate = self.up(x_BD).chunk(2, dim=-1)
        convolved, tail = a, state[3:]
        if self.convolution is not None:
            convolved, after = self.convolution.step(a, state[3])
            tail = (after,)
        q, k, v = self.query(convolved), self.key(convolved), self.value(a)
        i, f = self._gates(q, k, v)
        q, k, v = (torch.unflatten(one, -1, (self.heads, self.head_width)) for one in (q, k, v))
        h_BNK, cell = mlstm_cell.step(q, k, v, i, f, _cell(state))
        h = self.norm(h_BNK) + self.skip * convolved
        return self.dropout(self.down(h * F.silu(gate))), (*cell, *tail)

    def _remembered(self, convolved: Tensor, a: Tensor, state: mlstm_cell.State) -> tuple[Tensor, mlstm_cell.State]:
        """Outputs of the cell, (B, S, heads, head width), and its state after them."""
        i, f = self._gates_of(convolved, a)
        maps = self.query.weight, self.key.weight, self.value.weight
        found = mapped_sequence(convolved, a, maps, i, f, state)
        if found is not None:
            return found
        q, k, v = self.query(convolved), self.key(convolved), self.value(a)
        q, k, v = (torch.unflatten(one, -1, (self.heads, self.head_width)) for one in (q, k, v))
        return mlstm_cell.sequence(q, k, v, i, f, state, self.chunk)

    def _gates(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Pre-activations of input and forget gate, shape (..., heads)."""
        seen = torch.cat([q, k, v], dim=-1)
        return self._capped(self.input_gate(seen), self.forget_gate(seen))

    def _gates_of(self, convolved: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        """The same from what queries, keys and values are made of, their maps folded into the gates' weights.

        In a sequence that spares a pass over all three.
        """
        weight = torch.cat([self.input_gate.weight, self.forget_gate.weight])
        bias = torch.cat([self.input_gate.bias, self.forget_gate.bias])
        by_query, by_key, by_value = weight.chunk(3, dim=1)
        by_convolved = _folded(by_query, self.query.weight) + _folded(by_key, self.key.weight)
        gates = F.linear(convolved, by_convolved, bias) + F.linear(a, _folded(by_value, self.value.weight))
        i, f = gates.chunk(2, dim=-1)
        return self._capped(i, f)

    def _capped(self, i: Tensor, f: Tensor) -> tuple[Tensor, Tensor]:
        if self.soft_cap:
            i, f = (self.soft_cap * torch.tanh(one / self.soft_cap) for one in (i, f))
        return i, f


def _folded(weight: Tensor, blocks: Tensor) -> Tensor:
    """weight (outputs, D) after a block-diagonal map (n, D / n, D / n): shape (outputs, D)."""
    parts = torch.unflatten(weight, 1, (len(blocks), -1))
    return torch.matmul(parts.transpose(0, 1), blocks).transpose(0, 1).flatten(1)


def _cell(state: State) -> mlstm_cell.State:
    memory, mass, m = state[:3]
    return memory, mass, m
