"""Several timeframes of one market: an xLSTM for each, and attention between what they end with.

The columns come in groups, one a timeframe, the shortest first. A step of a longer timeframe stands in its columns from
its close until the next one's: so every n-th row, counted back from the window's last, holds the candles of n times the
length one after the other, and only such as had closed by then.
Letters: B batch, T time, C columns, D width, P timeframes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from triptych.domain.errors import DataError, RecipeError
from triptych.models.xlstm import Config as XLSTMConfig
from triptych.models.xlstm import XLSTMStack


class TimeframesEncoder(nn.Module):
    """From (B, T, C) to (B, P, D): what each timeframe ends with, having looked at the others.

    Args:
        config: of every timeframe's stack.
        columns: of all timeframes together.
        periods: rows of the window in a candle of each timeframe.
        embed: makes the map from so many columns to so many features.

    Raises RecipeError when the timeframes cannot share the columns, or heads do not divide the width.
    """

    def __init__(
        self, config: XLSTMConfig, columns: int, periods: tuple[int, ...], embed: Callable[[int, int], nn.Module]
    ) -> None:
        super().__init__()
        if min(periods) < 1 or len(set(periods)) < len(periods):
            raise RecipeError(
                f"Timeframes must be different numbers of candles, was {list(periods)}.",
                remedy="Write sequence.periods such as [1, 4, 16].",
            )
        if columns % len(periods):
            raise RecipeError(
                f"{columns} columns cannot be shared by {len(periods)} timeframes.",
                remedy="Every timeframe has the same columns: set encoding.channels to the number of timeframes, and "
                "set features.periods to the same list.",
            )
        if config.width % config.heads:
            raise RecipeError(
                f"Attention between timeframes: {config.heads} heads do not divide a width of {config.width}.",
                remedy="Choose heads that divide the width.",
            )
        self.periods, self.heads = periods, config.heads
        self.embeds = nn.ModuleList(embed(columns // len(periods), config.width) for _ in periods)
        self.stacks = nn.ModuleList(XLSTMStack(config) for _ in periods)
        self.names = nn.Parameter(torch.zeros(len(periods), config.width))
        self.asked = nn.Linear(config.width, 3 * config.width)
        self.answered = nn.Linear(config.width, config.width)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, columns_BTC: Tensor) -> Tensor:
        """Raises DataError when the window is shorter than a candle of the longest timeframe."""
        if columns_BTC.shape[1] < max(self.periods):
            raise DataError(
                f"A window of {columns_BTC.shape[1]} candles holds no candle of a timeframe {max(self.periods)} times "
                "as long.",
                remedy="Lengthen window.length, or shorten model.sequence.periods.",
            )
        ends = []
        for group, period, embed, stack in zip(
            columns_BTC.chunk(len(self.periods), dim=2), self.periods, self.embeds, self.stacks, strict=True
        ):
            ends.append(stack(embed(every(group, period)))[0][:, -1])
        x_BPD = torch.stack(ends, dim=1)
        q, k, v = (self._heads(one) for one in self.asked(self.norm(x_BPD) + self.names).chunk(3, dim=-1))
        weights = torch.softmax(torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(q.shape[-1]), dim=-1)
        out: Tensor = x_BPD + self.answered(torch.matmul(weights, v).transpose(1, 2).flatten(-2))
        return out

    def _heads(self, x_BPD: Tensor) -> Tensor:
        return torch.unflatten(x_BPD, -1, (self.heads, -1)).transpose(1, 2)


def every(x_BTC: Tensor, period: int) -> Tensor:
    """Every `period`-th row, the last one among them: shape (batch, ceil(time / period), columns)."""
    return x_BTC[:, (x_BTC.shape[1] - 1) % period :: period]
