"""Depth heatmap: the resting orders of a limit order book over time, as on a trader's depth chart.

Rows are prices, the highest on top; columns are times, the latest on the right; intensity is the logarithm of the size
that rests there, relative to the median of the window; so neither the price level nor the unit of size is in it.
With `anchor = "last"` the rows stand still, so that the price path, walls and their retreat are seen; with "each" the
market stays in the middle and only the shape of the book moves.

Prices of a window in float32 have seven digits: 64,020.4 is known to 0.004, or 0.0006 basis points. With `unit = "bp"`
a level then moves by so little between its two rows. With `unit = "ticks"` distances are rounded to whole ticks, and
the image is that of float64 as long as the price step is above a quarter of a millionth of the price (a step of 0.1: up
to a price of half a million).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from triptych.domain import Config as BaseConfig
from triptych.domain import book_columns
from triptych.domain.errors import RecipeError
from triptych.images._book_kernel import constants_of, draw_depth
from triptych.images._book_rows import (
    Sides,
    anchor_each,
    anchor_last,
    averaging,
    basis_points,
    into_rows,
    sides_of,
    ticks,
)
from triptych.images._cpu import as_array, drawn, run_shared, takes_kernel
from triptych.images._pixel_map import PixelAxis, PixelMap, by_column, by_row
from triptych.images._scratch import Scratch
from triptych.images._window import check_length, check_window, full_precision, positive_or_one
from triptych.images.base import AbstractEncoding

GRAIN_LEVELS = 20_000
"""Levels in a share worth a thread."""


class Config(BaseConfig):
    """Options of the depth heatmap."""

    levels: int = Field(default=20, ge=1, le=1000, description="Levels a side in a row of the window.")
    height: int = Field(default=64, ge=4, le=1024, description="Rows of the image in pixels.")
    width: int | None = Field(
        default=None,
        ge=2,
        le=4096,
        description="Columns of the image in pixels; books are averaged or repeated to fit. Empty: one a book.",
    )
    unit: Literal["bp", "ticks"] = Field(
        default="bp",
        description="What rows are measured in: basis points of the price they are measured from, or the price step of "
        "the instrument (`tick_size`), which keeps every level sharp.",
    )
    tick_size: float | None = Field(
        default=None, gt=0, description="Price step of the instrument in quote currency; for `unit = ticks`."
    )
    reach: float | None = Field(
        default=None,
        gt=0,
        description="How far the image shows to either side of its middle, in the unit: eye and network see how far "
        "prices moved. Empty: the window's own lowest and highest level fill the image, as in a chart.",
    )
    anchor: Literal["last", "each"] = Field(
        default="last",
        description="Price in the middle of the image: the mid of the window's last book, so that the path of the "
        "price is seen, or the mid of every single book.",
    )
    style: Literal["signed", "apart"] = Field(
        default="signed",
        description="One channel, 0.5 where nothing rests, bids above and asks below it; or bids and asks apart, two "
        "channels from 0.",
    )
    ceiling: float = Field(
        default=0.99,
        gt=0.5,
        le=1,
        description="Share of the window's levels that stays below full intensity; at 1, a single huge order may dim "
        "all the others.",
    )


class DepthHeatmap(AbstractEncoding):
    """Depth by price and time; missing levels are empty.

    Continuous and differentiable in sizes; in prices with `unit = "bp"` only, where a level is shared between the two
    nearest rows. `differentiable` says whether gradients reach the prices.
    """

    def __init__(self, config: Config, length: int) -> None:
        super().__init__()
        check_length("depth heatmap", length)
        if config.unit == "ticks" and config.tick_size is None:
            raise RecipeError(
                "depth heatmap: rows in ticks need the price step of the instrument.",
                remedy="Set tick_size, such as 0.1, or unit to bp.",
            )
        self.length = length
        self.columns = book_columns(config.levels)
        self.channels = 1 if config.style == "signed" else 2
        self.height = config.height
        self.width = length if config.width is None else config.width
        self.differentiable = config.unit == "bp"
        self.config = config
        self.scratch = Scratch()
        self.register_buffer("averaging", averaging(length, self.width), persistent=False)

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Encode; see `AbstractEncoding`."""
        check_window(window_BTF, self.length, self.columns)
        if takes_kernel(window_BTF):
            return drawn(self, window_BTF)
        with full_precision(window_BTF):
            sides = sides_of(window_BTF)
            bid_BTK, ask_BTK = self._distances(sides)
            low_B11, high_B11 = self._bounds(sides, bid_BTK, ask_BTK)
            span_B11 = high_B11 - low_B11
            rows_per_unit = (self.height - 1) * positive_or_one(span_B11).reciprocal()
            top_B11 = torch.where(span_B11 > 0, 0.0, (self.height - 1) / 2)  # a single level stands in the middle
            depth_2BTH = [
                into_rows(size, (high_B11 - distance) * rows_per_unit + top_B11, self.height)
                for size, distance in ((sides.bid_size, bid_BTK), (sides.ask_size, ask_BTK))
            ]
            depth_BCHT = self._intensity(torch.stack(depth_2BTH, dim=1), sides).transpose(-1, -2)
            if self.width != self.length:
                depth_BCHT = torch.matmul(depth_BCHT, self.get_buffer("averaging").to(window_BTF.dtype))
            if self.config.style == "apart":
                return depth_BCHT
            bids, asks = depth_BCHT.unbind(dim=1)
            return (0.5 + (bids - asks) / 2)[:, None]

    def draw(self, window_BTF: Tensor, image_BCHW: Tensor) -> None:
        """Encode into memory that is there; see `Draws`."""
        config, window = self.config, as_array(window_BTF)
        matrix = self.get_buffer("averaging")[:, : 0 if self.width == self.length else None]
        constants = constants_of(
            window.dtype, tick_size=config.tick_size or 1.0, edge=self._edge or 0.0, height=self.height
        )
        levels, columns = 2 * config.levels, (self.length, 2 * config.levels)
        wanted = (
            (columns, window_BTF.dtype), (columns, torch.float64), (columns, torch.bool),
            ((self.length * levels,), torch.float64), ((2, self.height, self.length), torch.float64),
        )  # fmt: skip
        image, averages = as_array(image_BCHW), as_array(matrix)

        def share(first: int, end: int) -> None:
            with self.scratch.lend(*wanted) as memory:
                draw_depth(
                    first, end, window, image, config.levels, config.unit == "ticks", constants,
                    config.anchor == "last", config.style == "signed", _beyond(config.ceiling), averages, tuple(memory),
                )  # fmt: skip

        run_shared(share, len(window), grain=max(1, GRAIN_LEVELS // (levels * self.length)))

    def blank(self) -> Tensor:
        return torch.full((self.channels, self.height, self.width), 0.5 if self.config.style == "signed" else 0.0)

    def pixel_map(self) -> PixelMap:
        """Columns are books; rows are levels of price, counted from the top of the image."""
        shape = self.channels, self.height, self.width
        names = tuple(f"row {row + 1} of {self.height}" for row in range(self.height))
        axis = PixelAxis(kind="level", weights=by_row(np.eye(self.height), shape), names=names)
        books = self.get_buffer("averaging").double().cpu().numpy()
        return PixelMap(shape=shape, candles=by_column(books, shape), axes=(axis,))

    @property
    def _edge(self) -> float | None:
        """Distance of the middle of the outermost rows, half a row inside the reach; None when there is no reach."""
        return None if self.config.reach is None else self.config.reach * (1 - 1 / self.height)

    def _distances(self, sides: Sides) -> tuple[Tensor, Tensor]:
        anchor = anchor_last(sides) if self.config.anchor == "last" else anchor_each(sides)
        if self.config.tick_size is None or self.config.unit == "bp":
            return basis_points(sides.bid, anchor), basis_points(sides.ask, anchor)
        tick_size = self.config.tick_size
        return ticks(sides.bid, anchor, tick_size), ticks(sides.ask, anchor, tick_size)

    def _bounds(self, sides: Sides, bid_BTK: Tensor, ask_BTK: Tensor) -> tuple[Tensor, Tensor]:
        """Distances that stand in the middle of the lowest and the highest row, each of shape (batch, 1, 1)."""
        if self._edge is not None:
            edge = torch.full_like(bid_BTK[:, :1, :1], self._edge)
            return -edge, edge
        bids, asks = (sides.has_bid, bid_BTK), (sides.has_ask, ask_BTK)
        low = torch.cat([torch.where(there, x, math.inf) for there, x in (bids, asks)], dim=-1)
        high = torch.cat([torch.where(there, x, -math.inf) for there, x in (bids, asks)], dim=-1)
        low_B11, high_B11 = low.amin(dim=(1, 2), keepdim=True), high.amax(dim=(1, 2), keepdim=True)
        is_empty = low_B11 > high_B11
        low_B11, high_B11 = torch.where(is_empty, 0.0, low_B11), torch.where(is_empty, 0.0, high_B11)
        if self.config.anchor == "each":
            farthest = torch.maximum(-low_B11, high_B11)
            return -farthest, farthest
        return low_B11, high_B11

    def _intensity(self, depth_B2TH: Tensor, sides: Sides) -> Tensor:
        """Logarithm of size from 0 to 1: relative to the median level of the window, full at its `ceiling`."""
        rising = torch.cat([sides.bid_size, sides.ask_size], dim=-1).flatten(1).sort(dim=1).values
        count = (rising > 0).sum(dim=1)
        median = positive_or_one(_ranked(rising, count, 0.5))
        full = torch.log1p(_ranked(rising, count, self.config.ceiling) / median)
        return (torch.log1p(depth_B2TH / median) / positive_or_one(full)).clamp(max=1.0)


def _ranked(rising_BN: Tensor, count_B: Tensor, share: float) -> Tensor:
    """The value below which `share` of the last `count` values lie, of each row; shape (batch, 1, 1, 1)."""
    last = rising_BN.shape[1] - 1
    rank_B = last - (count_B - 1).clamp(min=0) * _beyond(share) // 10_000
    return rising_BN.gather(1, rank_B[:, None])[:, :, None, None]


def _beyond(share: float) -> int:
    """The rest of a share in ten-thousandths: ranks must not depend on how a device rounds."""
    return round((1.0 - share) * 10_000)


def build(config: Config, length: int) -> AbstractEncoding:
    """The encoding for windows of `length` books."""
    return DepthHeatmap(config, length)
