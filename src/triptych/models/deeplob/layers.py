"""The blocks of DeepLOB. Letters: B batch, C channels, T time (books), W columns (price and size of each level)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

import torch
from torch import Tensor, nn

LEAK: Final = 0.01
"""Slope of the leaky rectifier below 0, as in the paper."""
SHRINKS_BY: Final = 18
"""Books that the convolutions along time, which are not padded, take from a window: six times three."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """Channels of the convolutions, of each branch of the inception, and units of the LSTM."""

    convolution: int
    branch: int
    hidden: int

    @classmethod
    def of(cls, width: float) -> Self:
        """The paper's 32, 64 and 64 times `width`, at least 4 each."""
        return cls(
            convolution=max(4, round(32 * width)), branch=max(4, round(64 * width)), hidden=max(4, round(64 * width))
        )


def convolution(
    in_chans: int,
    out_chans: int,
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    activation: Callable[[], nn.Module] = lambda: nn.LeakyReLU(LEAK),
) -> nn.Sequential:
    """Convolution, activation, batch norm, in this order."""
    return nn.Sequential(
        nn.Conv2d(in_chans, out_chans, kernel, stride=stride, padding=padding), activation(), nn.BatchNorm2d(out_chans)
    )


def level_block(in_chans: int, channels: int, columns: int, *, joins: bool, tanh: bool = False) -> nn.Sequential:
    """Columns joined `columns` at a time, then two convolutions over four books each.

    `joins` moves on by as many columns as it joins: price and size become a level, ask and bid a pair. Otherwise all
    columns are joined at once.
    """
    act: Callable[[], nn.Module] = nn.Tanh if tanh else lambda: nn.LeakyReLU(LEAK)
    stride = (1, columns) if joins else (1, 1)
    return nn.Sequential(
        convolution(in_chans, channels, (1, columns), stride=stride, activation=act),
        convolution(channels, channels, (4, 1), activation=act),
        convolution(channels, channels, (4, 1), activation=act),
    )


class Inception(nn.Module):
    """Three views of the same steps: over three books, over five, and the largest of three."""

    def __init__(self, in_chans: int, branch: int) -> None:
        super().__init__()
        self.short = nn.Sequential(
            convolution(in_chans, branch, (1, 1)), convolution(branch, branch, (3, 1), padding=(1, 0))
        )
        self.long = nn.Sequential(
            convolution(in_chans, branch, (1, 1)), convolution(branch, branch, (5, 1), padding=(2, 0))
        )
        self.pooled = nn.Sequential(
            nn.MaxPool2d((3, 1), stride=(1, 1), padding=(1, 0)), convolution(in_chans, branch, (1, 1))
        )

    def forward(self, x_BCTW: Tensor) -> Tensor:
        """The branches side by side, (batch, 3 * branch, time, 1)."""
        return torch.cat([self.short(x_BCTW), self.long(x_BCTW), self.pooled(x_BCTW)], dim=1)
