"""Variable selection: every column is seen by a small network of its own, and weights that sum to 1 choose among them.

    GRN(a) = norm(skip(a) + glu(W1 elu(W2 a)))          gated residual network
    v[t] = softmax(skip . all columns at t + glu(W1 elu(W2 all columns at t)))
    out[t] = sum over columns j of v[t,j] GRN_j(x[t,j])

Source: Lim, Arik, Loeff & Pfister 2021, "Temporal Fusion Transformers", arXiv 1912.09363, sections 4.1 and 4.2. There
the networks of the columns are as wide as the model; here their inner layers are narrow, so that twenty columns do not
cost more than the network behind them. And there the weights come from a GRN too; here its norm is left out before the
softmax: normalised over two columns, logits are 1 and -1 whatever came in. The weights begin near equal.
Letters: B batch, T time, C columns, H inner width, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

INNER = 8


class VariableSelection(nn.Module):
    """From columns (B, T, C) to features (B, T, D)."""

    def __init__(self, columns: int, width: int, inner: int = INNER) -> None:
        super().__init__()
        self.columns, self.width = columns, width
        self.enter = nn.Parameter(torch.empty(columns, 2, inner))
        self.gate = nn.Parameter(torch.empty(columns, inner, 2 * width))
        self.gate_bias = nn.Parameter(torch.zeros(columns, 2 * width))
        self.skip = nn.Parameter(torch.empty(columns, width))
        self.scale = nn.Parameter(torch.ones(columns, width))
        self.shift = nn.Parameter(torch.zeros(columns, width))
        self.weigh_skip = nn.Parameter(torch.zeros(columns))
        self.weigh_in = nn.Linear(columns, inner)
        self.weigh_gate = nn.Linear(inner, 2 * columns)
        for one, inputs in ((self.enter, 1), (self.gate, inner), (self.skip, 1)):
            nn.init.normal_(one, std=inputs**-0.5)

    def weights(self, x_BTC: Tensor) -> Tensor:
        """How much each column counts at each step: shape (B, T, C), rows sum to 1."""
        gated = F.glu(self.weigh_gate(F.elu(self.weigh_in(x_BTC))), dim=-1)
        return torch.softmax(x_BTC * self.weigh_skip + gated, dim=-1)

    def forward(self, x_BTC: Tensor) -> Tensor:
        """Weighed features of every step."""
        inner_BTCH = F.elu(x_BTC[..., None] * self.enter[:, 0] + self.enter[:, 1])
        # One product a column: (C, B T, H) times (C, H, 2 D).
        flat = inner_BTCH.flatten(0, 1).transpose(0, 1)
        gates = torch.baddbmm(self.gate_bias[:, None], flat, self.gate).transpose(0, 1)
        summed = x_BTC.flatten(0, 1)[..., None] * self.skip + F.glu(gates, dim=-1)
        seen = F.layer_norm(summed, (self.width,)) * self.scale + self.shift
        chosen = torch.matmul(self.weights(x_BTC).flatten(0, 1)[:, None], seen)[:, 0]
        return torch.unflatten(chosen, 0, (-1, x_BTC.shape[1]))
