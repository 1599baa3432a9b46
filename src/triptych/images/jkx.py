"""The chart of Jiang, Kelly and Xiu, "(Re-)Imag(in)ing Price Trends", Journal of Finance 78(6), 2023, section I.

White ink on black, one channel, three columns a candle: a tick for the open on the left, a bar from low to high in the
middle, a tick for the close on the right. A moving average as long as the window is drawn as a line through the middle
columns, volume as bars in the middle columns of the lower fifth. Prices and moving average fill the price area.

Three things differ from the paper, on purpose:

- The paper rebuilds prices from returns with a first close of 1. The scaling to the window's own range removes the
  level, so raw prices give the same picture. Adjust for splits and dividends before.
- An encoding sees only its window, so the moving average of a candle is the mean of the closes of the window up to it:
  at the last candle that is the paper's average over the whole window, at the first it is the close itself.
- Networks are given windows without a missing candle (those across a hole are left out of training). Pictures of a
  history with holes leave their columns blank, as the paper does: `with_blanks`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import DataError
from triptych.images._chart_kernel import draw_jkx
from triptych.images._chart_plan import JkxPlan, LinePlan
from triptych.images._cpu import as_array, drawn, grain_of, run_shared, takes_kernel
from triptych.images._geometry import Areas, Line, bars, coverage, positions, row_centres, running_total, volumes
from triptych.images._pixel_map import PixelMap, by_column, prices
from triptych.images._window import check_length, check_window
from triptych.images.base import AbstractEncoding

COLUMNS_PER_CANDLE = 3


class Config(BaseConfig):
    """Options of the Jiang-Kelly-Xiu chart. Its width is three pixels a candle."""

    height: int | None = Field(
        default=None,
        ge=16,
        le=600,
        description="Rows of the image in pixels. Empty: the paper's 32 up to 10 candles (5 in the paper), 64 up to 40 "
        "(20), 96 beyond (60).",
    )
    moving_average: bool = Field(default=True, description="Draw the moving average of the close.")
    volume: bool = Field(default=True, description="Draw volume bars in the lower fifth of the image.")
    antialias: bool = Field(
        default=False,
        description="Draw by exact area coverage in shades of grey instead of the paper's black and white; the image "
        "is then a continuous function of the prices.",
    )


@runtime_checkable
class LeavesBlank(Protocol):
    """An encoding that can draw windows in which candles are missing."""

    length: int

    def with_blanks(self, window_BTF: Tensor, is_missing_BT: Tensor) -> Tensor:
        """Encode windows in which candles are missing; see `JiangKellyXiuChart.with_blanks`."""


class JiangKellyXiuChart(AbstractEncoding):
    """Black and white chart of a window, 1 channel. `differentiable` only with `antialias`."""

    def __init__(self, config: Config, length: int) -> None:
        super().__init__()
        check_length("jkx", length)
        self.length, self.channels = length, 1
        self.height = _default_height(length) if config.height is None else config.height
        self.width = COLUMNS_PER_CANDLE * length
        self.areas = Areas.divide(self.height, with_volume=config.volume)
        self.antialias = self.differentiable = config.antialias
        centres = COLUMNS_PER_CANDLE * torch.arange(length, dtype=torch.float64) + COLUMNS_PER_CANDLE / 2
        self.line = Line(centres, self.width) if config.moving_average else None
        lines = [] if self.line is None else [self.line]
        self.plan = JkxPlan(
            price_rows=self.areas.price,
            volume_rows=self.areas.volume,
            antialias=config.antialias,
            lines=LinePlan.of(lines, self.width),
        )

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Encode; see `AbstractEncoding`."""
        check_window(window_BTF, self.length)
        if takes_kernel(window_BTF):
            return drawn(self, window_BTF)
        counts = torch.arange(1, self.length + 1, dtype=window_BTF.dtype, device=window_BTF.device)
        return self._picture(window_BTF, running_total, counts)

    def with_blanks(self, window_BTF: Tensor, is_missing_BT: Tensor) -> Tensor:
        """Encode windows in which candles are missing: their columns stay black, ranges and averages are of the others.

        Args:
            window_BTF: as for `forward`, at least one candle a window there; what stands in missing ones is not read.
            is_missing_BT: bool tensor of shape (batch, length).
        """
        is_there = ~is_missing_BT
        if not is_there.any(dim=1).all():
            raise DataError(
                "A window holds no candle at all.", remedy="Choose windows with at least one candle that is there."
            )
        # A missing candle repeats the first that is there, without volume: it widens no range.
        first = is_there.int().argmax(dim=1)
        filler = window_BTF[torch.arange(len(window_BTF), device=window_BTF.device), first][:, None]
        filler = filler * filler.new_tensor([1.0, 1.0, 1.0, 1.0, 0.0])
        filled = torch.where(is_missing_BT[..., None], filler, window_BTF)
        check_window(filled, self.length)

        def total(closes_BT: Tensor) -> Tensor:
            return running_total(torch.where(is_there, closes_BT, 0.0))

        counts = torch.cumsum(is_there, dim=1).clamp(min=1).to(window_BTF.dtype)
        image = self._picture(filled, total, counts)
        return image * is_there.repeat_interleave(COLUMNS_PER_CANDLE, dim=1)[:, None, None].to(image.dtype)

    def _picture(self, window_BTF: Tensor, total: Callable[[Tensor], Tensor], counts: Tensor) -> Tensor:
        """The image; the moving average of a candle is `total` of the closes up to it over `counts`."""
        rows = row_centres(self.areas.price, window_BTF)
        # The upper edge of the pen, one pixel high, moves between the first and the last row of the price area.
        pen_BT4 = (1.0 - positions(window_BTF)) * (self.areas.price - 1)
        open_BT, high_BT, low_BT, close_BT = pen_BT4.unbind(dim=-1)
        highest = torch.stack([open_BT, high_BT, close_BT], dim=-1).flatten(1)
        lowest = torch.stack([open_BT, low_BT, close_BT], dim=-1).flatten(1)
        image = coverage(*self._pen(highest, lowest), rows)
        if self.line is not None:
            highest, lowest = self.line(total(close_BT) / counts)
            middle, half = self._pen(highest, lowest)
            image = torch.maximum(image, coverage(middle, self.line.only_drawn(half), rows))
        if self.areas.volume:
            image = torch.cat([image, torch.zeros_like(image[:, :1]), self._volume(window_BTF)], dim=1)
        return image[:, None]

    def draw(self, window_BTF: Tensor, image_BCHW: Tensor) -> None:
        """Encode into memory that is there; see `Draws`."""
        grain = grain_of(self.channels * self.height * self.width)
        run_shared(draw_jkx, len(window_BTF), as_array(window_BTF), as_array(image_BCHW), self.plan, grain=grain)

    def pixel_map(self) -> PixelMap:
        shape = self.channels, self.height, self.width
        shown = np.repeat(np.eye(self.length), COLUMNS_PER_CANDLE, axis=1)
        axis = prices(self.areas.price, shape, volume_rows=self.areas.volume)
        return PixelMap(shape=shape, candles=by_column(shown, shape), axes=(axis,))

    def _pen(self, highest: Tensor, lowest: Tensor) -> tuple[Tensor, Tensor]:
        """Middle and half length of the strokes of a pen that moves between two rows."""
        top, bottom = self._snap(highest), self._snap(lowest) + 1.0
        return (top + bottom) / 2, (bottom - top) / 2

    def _volume(self, window_BTF: Tensor) -> Tensor:
        """Volume bars in the middle columns, shape (batch, rows of the volume area, width)."""
        size_BT = self._snap(volumes(window_BTF) * self.areas.volume)
        empty = torch.zeros_like(size_BT)
        return bars(torch.stack([empty, size_BT, empty], dim=-1).flatten(1), self.areas.volume)

    def _snap(self, row: Tensor) -> Tensor:
        """The nearest whole row, or the row itself when edges may be grey."""
        return row if self.antialias else torch.floor(row + 0.5)


def build(config: Config, length: int) -> AbstractEncoding:
    """The encoding for windows of `length` candles."""
    return JiangKellyXiuChart(config, length)


def _default_height(length: int) -> int:
    if length <= 10:
        return 32
    return 64 if length <= 40 else 96
