"""Sequence: the window as it is, for networks that read time step by step.

Nothing is drawn. Each column of the window becomes a channel of one row, the candles from left to right, so that a
network of sequences (xlstm, lstm, gru, tcn) takes the place of one of images in the same recipe, artifact and graph.
Columns are z-scores cut to -clip .. clip; a pixel is (z + clip) / (2 clip), as in the factor grid.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from triptych.domain import Config as BaseConfig
from triptych.images._cpu import as_array, drawn, kernel, run_shared, takes_kernel
from triptych.images._pixel_map import PixelAxis, PixelMap, by_column, by_place
from triptych.images._window import check_length, check_window, full_precision
from triptych.images.base import AbstractEncoding

GRAIN_VALUES = 500_000
"""Values in a share of a batch that is worth a thread."""


class Config(BaseConfig):
    """Options of the sequence."""

    factors: int = Field(default=22, ge=1, le=1024, description="Factors of an instrument.")
    channels: int = Field(default=1, ge=1, le=64, description="Instruments whose factors stand side by side.")
    clip: float = Field(
        default=4.0,
        gt=0,
        le=100,
        description="Scores of -clip become 0, of +clip 1; `features.clip` says the same.",
    )


class Sequence(AbstractEncoding):
    """The window turned round: (batch, columns, 1, length); values outside the clip are cut to it."""

    def __init__(self, config: Config, length: int) -> None:
        super().__init__()
        check_length("sequence", length)
        self.length, self.clip = length, config.clip
        self.channels, self.height, self.width = config.channels * config.factors, 1, length
        self.columns = tuple(f"factor_{c + 1}_{f + 1}" for c in range(config.channels) for f in range(config.factors))

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Encode; see `AbstractEncoding`. The columns are the factors of the first instrument, then the second's ..."""
        check_window(window_BTF, self.length, self.columns)
        if takes_kernel(window_BTF):
            return drawn(self, window_BTF)
        with full_precision(window_BTF):
            return self.pixels(window_BTF).transpose(1, 2)[:, :, None]

    def draw(self, window_BTF: Tensor, image_BCHW: Tensor) -> None:
        """Encode into memory that is there; see `Draws`."""
        grain = -(-GRAIN_VALUES // (self.channels * self.width))
        run_shared(
            _turn_round, len(window_BTF), as_array(window_BTF), as_array(image_BCHW[:, :, 0]), self.clip, grain=grain
        )

    def pixels(self, rows: Tensor) -> Tensor:
        """Values of columns as pixels in [0, 1], of any shape: what a network reads of a single candle too."""
        return ((rows + self.clip) / (2.0 * self.clip)).clamp(0.0, 1.0)

    def blank(self) -> Tensor:
        """Scores of zero."""
        return torch.full((self.channels, self.height, self.width), 0.5)

    def pixel_map(self) -> PixelMap:
        shape = self.channels, self.height, self.width
        place = np.repeat(np.arange(self.channels), self.width)
        factors = PixelAxis(kind="factor", weights=by_place(place, self.channels), names=self.columns)
        return PixelMap(shape=shape, candles=by_column(np.eye(self.length), shape), axes=(factors,))


@kernel
def _turn_round(first: int, end: int, window: NDArray[Any], image: NDArray[Any], clip: float) -> None:
    """Fill `image[first:end]`, of shape (batch, columns, time), from windows of shape (batch, time, columns)."""
    real = image.dtype.type
    shift, width, zero, one = real(clip), real(2.0 * clip), real(0.0), real(1.0)
    for b in range(first, end):
        values = window[b]
        for c in range(image.shape[1]):
            row = image[b, c]
            for t in range(len(row)):
                row[t] = min(max((values[t, c] + shift) / width, zero), one)


def build(config: Config, length: int) -> AbstractEncoding:
    """The encoding for windows of `length` candles."""
    return Sequence(config, length)
