"""Several timeframes of one window: an xLSTM for each, and attention between what they end with.

A period of n candles is pooled inside the window and aligned to its end: the last n candles are the last step, the n
before them the one before. So every step of every timeframe is complete at the close of the window's last candle, and
none reaches beyond it; what remains at the start and fills no period is left out.
Letters: B batch, T time, D width, P timeframes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from triptych.domain.errors import DataError
from triptych.models.xlstm import Config as XLSTMConfig
from triptych.models.xlstm import XLSTMStack


class TimeframesEncoder(nn.Module):
    """From (B, T, D) to (B, P, D): what each timeframe ends with, having looked at the others."""

    def __init__(self, config: XLSTMConfig, periods: tuple[int, ...]) -> None:
        super().__init__()
        self.periods, self.heads = periods, config.heads
        self.stacks = nn.ModuleList(XLSTMStack(config) for _ in periods)
        self.names = nn.Parameter(torch.zeros(len(periods), config.width))
        self.asked = nn.Linear(config.width, 3 * config.width)
        self.answered = nn.Linear(config.width, config.width)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x_BTD: Tensor, columns_BTC: Tensor) -> Tensor:
        """Raises DataError when the window is shorter than a period."""
        if x_BTD.shape[1] < max(self.periods):
            raise DataError(
                f"A window of {x_BTD.shape[1]} candles holds no period of {max(self.periods)}.",
                remedy="Lengthen window.length, or shorten model.sequence.periods.",
            )
        ends = [stack(pooled(x_BTD, period))[0][:, -1] for stack, period in zip(self.stacks, self.periods, strict=True)]
        x_BPD = torch.stack(ends, dim=1)
        q, k, v = (self._heads(one) for one in self.asked(self.norm(x_BPD) + self.names).chunk(3, dim=-1))
        weights = torch.softmax(torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(q.shape[-1]), dim=-1)
        out: Tensor = x_BPD + self.answered(torch.matmul(weights, v).transpose(1, 2).flatten(-2))
        return out

    def _heads(self, x_BPD: Tensor) -> Tensor:
        return torch.unflatten(x_BPD, -1, (self.heads, -1)).transpose(1, 2)


def pooled(x_BTD: Tensor, period: int) -> Tensor:
    """Means over `period` steps, aligned to the end: shape (batch, time // period, width)."""
    if period == 1:
        return x_BTD
    steps = x_BTD.shape[1] // period
    kept = x_BTD[:, x_BTD.shape[1] - steps * period :]
    return torch.unflatten(kept, 1, (steps, period)).mean(dim=2)
