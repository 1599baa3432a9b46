"""Volume profile: how much was traded at which price inside the window.

Rows are equal bins of price from the window's lowest low (bottom) to its highest high (top): the price axis of the
candlestick chart. A candle says how much was traded and between which prices, not how much at each of them, so its
volume is spread evenly over its range. Two ways to draw it:

- `bars`: one horizontal bar a row, from the left edge; the fullest row (the point of control) spans the width.
- `heat`: columns are candles, and each shows the profile as it had grown until then, as a share of the fullest row of
  the whole window; the last candle shows the profile itself. Where a row brightens, volume came.

Rows count exactly what their prices hold, and bars are drawn by exact area coverage: a continuous function of prices
and volumes.

Letters: B batch, S sides (1, or 2: rising and falling), T time, H rows, W columns.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from triptych.domain import CLOSE, HIGH, LOW, OPEN
from triptych.domain import Config as BaseConfig
from triptych.images._book_rows import averaging
from triptych.images._cpu import as_array, drawn, run_shared, takes_kernel
from triptych.images._geometry import positions, volumes
from triptych.images._pixel_map import PixelMap, by_column, prices
from triptych.images._profile_kernel import draw_profiles
from triptych.images._scratch import Scratch
from triptych.images._window import check_length, check_window, full_precision, positive_or_one
from triptych.images.base import AbstractEncoding

GRAIN_PIXELS = 200_000
"""Pixels in a share of a batch that is worth a thread."""

FULL_COLOR_PX = 0.25
"""A body of this many rows gives all volume to its direction; below it, both directions share it."""

THIN_PX = 2.0**-10
"""Least range of a candle in rows: a price alone would be all on one side of an edge between rows or all on the other,
and the image would jump where it crosses."""


class Config(BaseConfig):
    """Options of the volume profile."""

    height: int = Field(default=64, ge=2, le=1024, description="Rows of the image in pixels: bins of price.")
    width: int = Field(default=64, ge=2, le=1024, description="Columns of the image in pixels.")
    style: Literal["bars", "heat"] = Field(
        default="bars",
        description="`bars`: one horizontal bar a bin, as long as its volume. `heat`: columns are candles, and a pixel "
        "is the bin's volume until that candle; candles are repeated or averaged to fit the width.",
    )
    split: bool = Field(
        default=False,
        description="Two channels, volume of rising candles and of falling ones, which add up to the image without "
        "this option: in `bars` the second begins where the first ends.",
    )


class VolumeProfile(AbstractEncoding):
    """One channel, or two with `split`. Values are shares of the fullest bin, in [0, 1].

    The volume of a candle is spread evenly over its range and counted row by row, however thin the range is; of one
    without any (less than a thousandth of a row) it lies in its row, or half in each of two that meet there. A window
    without any volume (currencies often have none) is 0 everywhere; one without any range has all its volume in the
    middle. Volumes below zero and highs below lows are not looked for: the readers of candles refuse them.
    """

    def __init__(self, config: Config, length: int) -> None:
        super().__init__()
        check_length("volume_profile", length)
        self.config = config
        self.length = length
        self.channels = 2 if config.split else 1
        self.height, self.width = config.height, config.width
        self.scratch = Scratch()
        sharing = _sharing(length, config.width)
        is_shared = (sharing > 0).long()
        start = is_shared.argmax(dim=0)
        self.register_buffer("sharing", sharing, persistent=False)
        self.register_buffer("column_start", start, persistent=False)
        self.register_buffer("column_end", start + is_shared.sum(dim=0), persistent=False)

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Encode; see `AbstractEncoding`."""
        check_window(window_BTF, self.length)
        if takes_kernel(window_BTF):
            return drawn(self, window_BTF)
        with full_precision(window_BTF):
            part_BSHT = self._parts(window_BTF)
            final_BSH = part_BSHT.sum(dim=-1)
            largest_B = positive_or_one(final_BSH.sum(dim=1).amax(dim=-1))
            if self.config.style == "heat":
                share_BSHT = (part_BSHT / largest_B[:, None, None, None]).cumsum(dim=-1)
                # Rounding may leave the sum of all candles a little above the largest sum.
                return torch.matmul(share_BSHT, self.get_buffer("sharing").to(window_BTF.dtype)).clamp(0.0, 1.0)
            stop_BSH = (final_BSH / largest_B[:, None, None]).cumsum(dim=1) * self.width
            left = torch.arange(self.width, dtype=window_BTF.dtype, device=window_BTF.device)
            filled_BSHW = (stop_BSH[..., None] - left).clamp(0.0, 1.0)
            return torch.cat([filled_BSHW[:, :1], filled_BSHW[:, 1:] - filled_BSHW[:, :-1]], dim=1)

    def draw(self, window_BTF: Tensor, image_BCHW: Tensor) -> None:
        """Encode into memory that is there; see `Draws`."""
        buffers = [as_array(self.get_buffer(name)) for name in ("column_start", "column_end", "sharing")]
        arrays = as_array(window_BTF), as_array(image_BCHW)
        heat = self.config.style == "heat"
        grain = -(-GRAIN_PIXELS // (self.channels * self.height * self.width))
        shapes = (
            (self.channels, self.height), (self.channels, self.length, self.height) if heat else (0, 0, 0),
            (self.width if heat else 0, self.height),
        )  # fmt: skip

        def share(first: int, end: int) -> None:
            with self.scratch.lend(*((shape, torch.float64) for shape in shapes)) as memory:
                draw_profiles(first, end, *arrays, heat, FULL_COLOR_PX, THIN_PX, *buffers, *memory)

        run_shared(share, len(window_BTF), grain=grain)

    def pixel_map(self) -> PixelMap:
        """Of `bars` no pixel stands for a candle: a bar is what all candles traded at a price."""
        shape = self.channels, self.height, self.width
        sharing = self.get_buffer("sharing").double().cpu().numpy()
        if self.config.style == "bars":
            sharing = np.zeros_like(sharing)
        return PixelMap(shape=shape, candles=by_column(sharing, shape), axes=(prices(self.height, shape),))

    def _parts(self, window_BTF: Tensor) -> Tensor:
        """What every candle adds to every row, shape (batch, sides, height, time), in units of the largest volume."""
        y_BT4 = (1.0 - positions(window_BTF)) * self.height
        range_BT = y_BT4[..., LOW] - y_BT4[..., HIGH]
        spread_BT = range_BT.clamp(min=THIN_PX)
        top_BT = y_BT4[..., HIGH] - (spread_BT - range_BT) / 2
        top_BT = torch.minimum(top_BT.clamp(min=0.0), self.height - spread_BT)
        edges_H1 = torch.arange(self.height + 1, dtype=window_BTF.dtype, device=window_BTF.device)[:, None]
        above_BHT = ((edges_H1 - top_BT[:, None]) / spread_BT[:, None]).clamp(0.0, 1.0)  # share above each row's edge
        share_BHT = above_BHT[:, 1:] - above_BHT[:, :-1]
        volume_BST = volumes(window_BTF)[:, None]
        if self.config.split:
            rise_BT = y_BT4[..., OPEN] - y_BT4[..., CLOSE]
            up_BT = (0.5 + rise_BT / (2.0 * FULL_COLOR_PX)).clamp(0.0, 1.0)
            volume_BST = volume_BST * torch.stack([up_BT, 1.0 - up_BT], dim=1)
        return share_BHT[:, None] * volume_BST[:, :, None]


def build(config: Config, length: int) -> AbstractEncoding:
    """The encoding for windows of `length` candles."""
    return VolumeProfile(config, length)


def _sharing(length: int, width: int) -> Tensor:
    """Weights of the candles in every column, shape (length, width); columns sum to 1.

    Wide images give every candle whole columns, the same ones as the candlestick chart does.
    """
    if width < length:
        return averaging(length, width)
    candle = torch.arange(width) * length // width
    return (torch.arange(length)[:, None] == candle).float()
