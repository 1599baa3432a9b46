"""What reads a sequence of features: a plain recurrent network, a temporal convolution, or an xLSTM.

Every encoder here goes from (batch, time, width) to the same shape and lets each step see the steps before it only; the
adaptive one also looks at the window as a whole.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triptych.models.xlstm import Config as XLSTMConfig
from triptych.models.xlstm import XLSTMStack


class RecurrentEncoder(nn.Module):
    """LSTM or GRU layers, with dropout between them."""

    def __init__(self, family: str, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        kind = nn.LSTM if family == "lstm" else nn.GRU
        self.layers = kind(width, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Outputs of the last layer."""
        out: Tensor = self.layers(x_BTD)[0]
        return out


class ConvolutionalEncoder(nn.Module):
    """Temporal convolutions, each block looking twice as far back as the one before it.

    Source: Bai, Kolter & Koltun 2018, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for
    Sequence Modeling", arXiv 1803.01271. Instead of weight normalisation each step is normalised over the width, which
    needs no statistics and holds for any batch.
    """

    def __init__(self, width: int, blocks: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.reach = [(kernel - 1) * 2**block for block in range(blocks)]
        self.first = nn.ModuleList(nn.Conv1d(width, width, kernel, dilation=2**block) for block in range(blocks))
        self.second = nn.ModuleList(nn.Conv1d(width, width, kernel, dilation=2**block) for block in range(blocks))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(blocks))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Outputs of the last block."""
        for reach, first, second, norm in zip(self.reach, self.first, self.second, self.norms, strict=True):
            inner = norm(x_BTD).transpose(1, 2)
            for convolution in (first, second):
                inner = self.dropout(F.relu(convolution(F.pad(inner, (reach, 0)))))
            x_BTD = x_BTD + inner.transpose(1, 2)
        return x_BTD


class XLSTMEncoder(nn.Module):
    """An xLSTM stack from a fresh state."""

    def __init__(self, config: XLSTMConfig) -> None:
        super().__init__()
        self.stack = XLSTMStack(config)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Outputs of the stack."""
        out: Tensor = self.stack(x_BTD)[0]
        return out


class AdaptiveEncoder(nn.Module):
    """An xLSTM stack whose blocks the market's regime weighs: x + w (block(x) - x), w in (0, 2) for each row and block.

    The regime is measured inside the window, for every column: volatility (deviation of its changes from step to step),
    trend (covariance with time) and level (mean). All weights begin at 1: then this is the plain stack. Every block is
    computed for every row, so the shape of a batch never depends on its content.
    """

    def __init__(self, config: XLSTMConfig, columns: int, inner: int = 16) -> None:
        super().__init__()
        self.stack = XLSTMStack(config)
        self.judge = nn.Linear(3 * columns, inner)
        self.weigh = nn.Linear(inner, config.blocks)
        nn.init.zeros_(self.weigh.weight)
        nn.init.zeros_(self.weigh.bias)

    def weights(self, columns_BTC: Tensor) -> Tensor:
        """How much each block counts: shape (batch, blocks)."""
        return 2.0 * torch.sigmoid(self.weigh(torch.tanh(self.judge(regime(columns_BTC)))))

    def forward(self, x_BTD: Tensor, columns_BTC: Tensor) -> Tensor:
        """Outputs of the weighed stack."""
        state = self.stack.fresh_state(x_BTD.shape[0])
        weights = self.weights(columns_BTC)
        for place, (block, before) in enumerate(zip(self.stack.blocks, state.blocks, strict=True)):
            after, _ = block(x_BTD, before)
            x_BTD = x_BTD + weights[:, place, None, None] * (after - x_BTD)
        out: Tensor = self.stack.norm(x_BTD)
        return out


def regime(columns_BTC: Tensor) -> Tensor:
    """Volatility, trend and level of every column of a window: shape (batch, 3 * columns)."""
    length = columns_BTC.shape[1]
    end = 1.0 if length > 1 else 0.0  # one step alone has no trend, and no change either
    steps = torch.linspace(-end, end, length, dtype=columns_BTC.dtype, device=columns_BTC.device)
    changes = columns_BTC[:, 1:] - columns_BTC[:, :-1]
    volatility = (changes.square().sum(dim=1) / max(length - 1, 1)).clamp(min=1e-12).sqrt()
    trend = (columns_BTC * steps[:, None]).mean(dim=1)
    return torch.cat([volatility, trend, columns_BTC.mean(dim=1)], dim=1)
