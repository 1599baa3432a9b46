"""The sLSTM layer: convolved inputs for the input and forget gates, direct ones for proposal and output gate."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.models.xlstm import slstm_cell
from triptych.models.xlstm.convolution import CausalConvolution
from triptych.models.xlstm.headwise import HeadwiseLinear
from triptych.models.xlstm.norms import HeadNorm
from triptych.models.xlstm.slstm_mapped import mapped_sequence

State = tuple[Tensor, ...]
"""y, c, n, m of the cell, each (B, N, K), and the state of the convolution where there is one."""


class SLSTMLayer(nn.Module):
    """From (B, S, D) to the same shape; the heads divide D.

    The outputs of a `HeadwiseLinear` lie head by head and, within a head, gate by gate, as the cell wants them.
    """

    def __init__(self, width: int, heads: int, *, kernel: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.convolution = CausalConvolution(width, kernel) if kernel else None
        self.input_and_forget = HeadwiseLinear(width, heads, 2 * self.head_width)
        self.proposal_and_output = HeadwiseLinear(width, heads, 2 * self.head_width)
        self.recurrent = nn.Parameter(torch.empty(heads, self.head_width, 4 * self.head_width))
        self.bias = nn.Parameter(torch.empty(heads, 4 * self.head_width))
        self.dropout = nn.Dropout(dropout)
        self.norm = HeadNorm(heads, self.head_width)

    def fresh_state(self, batch: int, like: Tensor) -> State:
        """The state of rows that have seen nothing."""
        cell = slstm_cell.fresh_state(batch, self.heads, self.head_width, like)
        return cell if self.convolution is None else (*cell, self.convolution.fresh_state(batch, like))

    def forward(self, x_BSD: Tensor, state: State) -> tuple[Tensor, State]:
        """A sequence, and the state after it."""
        convolved, tail = x_BSD, state[4:]
        if self.convolution is not None:
            convolved, after = self.convolution(x_BSD, state[4])
            tail = (after,)
        y_BSNK, cell = self._remembered(convolved, x_BSD, _cell(state))
        return self.norm(self.dropout(y_BSNK)), (*cell, *tail)

    def step(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        """One step, and the state after it."""
        convolved, tail = x_BD, state[4:]
        if self.convolution is not None:
            convolved, after = self.convolution.step(x_BD, state[4])
            tail = (after,)
        y_BNK, cell = slstm_cell.step(self._gates(convolved, x_BD), self.recurrent, _cell(state))
        return self.norm(self.dropout(y_BNK)), (*cell, *tail)

    def _remembered(
        self, convolved: Tensor, direct: Tensor, state: slstm_cell.State
    ) -> tuple[Tensor, slstm_cell.State]:
        """Outputs of the cell, (B, S, heads, head width), and its state after them."""
        heads = (self.heads, self.head_width)
        found = mapped_sequence(
            torch.unflatten(convolved, -1, heads), torch.unflatten(direct, -1, heads), self.input_and_forget.weight,
            self.proposal_and_output.weight, self.bias, self.recurrent, state,
        )  # fmt: skip
        if found is not None:
            return found
        return slstm_cell.sequence(self._gates(convolved, direct), self.recurrent, state)

    def _gates(self, convolved: Tensor, direct: Tensor) -> Tensor:
        """Gate pre-activations of shape (..., heads, 4 * head width)."""
        shape = (self.heads, 2 * self.head_width)
        first = torch.unflatten(self.input_and_forget(convolved), -1, shape)
        return torch.cat([first, torch.unflatten(self.proposal_and_output(direct), -1, shape)], dim=-1) + self.bias


def _cell(state: State) -> slstm_cell.State:
    y, c, n, m = state[:4]
    return y, c, n, m
