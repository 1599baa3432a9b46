"""Book levels: the rows of a limit order book as numbers side by side, for networks that read levels one by one.

Nothing is drawn. A row of the image is a book, the latest at the bottom; its columns are ask price, ask size, bid price
and bid size of the best level, then of the next, as DeepLOB reads them (Zhang, Zohren and Roberts, "DeepLOB: Deep
Convolutional Neural Networks for Limit Order Books", IEEE Transactions on Signal Processing 67(11), 2019, section 3).

Where the paper scales by the mean and deviation of the days before, `scale = "window"` needs nothing but the window
itself: prices are distances from the mid of its last book, sizes logarithms relative to the window's median level. So
nothing later, and nothing of another instrument, is in a window. `scale = "given"` is for rows that somebody else has
normalised already, such as those of FI-2010.
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
from triptych.images._book_rows import Sides, anchor_last, basis_points, sides_of
from triptych.images._cpu import as_array, drawn, run_shared, takes_kernel
from triptych.images._levels_kernel import draw_levels, draw_scores
from triptych.images._pixel_map import PixelAxis, PixelMap, by_place, by_row
from triptych.images._scratch import Scratch
from triptych.images._window import check_length, check_window, full_precision, positive_or_one
from triptych.images.base import AbstractEncoding

FIELDS = ("ask price", "ask size", "bid price", "bid size")
"""Columns of a level, in this order."""
GRAIN_LEVELS = 40_000
"""Levels in a share worth a thread."""


class Config(BaseConfig):
    """Options of the book levels."""

    levels: int = Field(default=10, ge=1, le=1000, description="Levels a side in a row of the window.")
    scale: Literal["window", "given"] = Field(
        default="window",
        description="`window`: prices and sizes are scaled by the window itself. `given`: the rows are scores already "
        "(FI-2010) and are only cut to -clip .. clip.",
    )
    reach: float | None = Field(
        default=None,
        gt=0,
        description="Distance from the mid of the last book, in basis points, at which a price is at the end of its "
        "range; the same in all windows, so that the size of a move is seen. Empty: the farthest price of the window.",
    )
    ceiling: float = Field(
        default=1000.0,
        gt=1,
        description="Size at which a level is at full intensity, in median levels of the window; best levels of crypto "
        "hold hundreds of them.",
    )
    clip: float = Field(default=4.0, gt=0, le=100, description="Scores of -clip become 0, of +clip 1; for `given`.")


class BookLevels(AbstractEncoding):
    """One channel, (batch, 1, length, 4 * levels). A level that is missing is at the end of the reach, with size 0."""

    def __init__(self, config: Config, length: int) -> None:
        super().__init__()
        check_length("book levels", length)
        self.length = length
        self.columns = book_columns(config.levels)
        self.channels, self.height, self.width = 1, length, 4 * config.levels
        self.config = config
        self.takes_scores = config.scale == "given"
        self.scratch = Scratch()

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Encode; see `AbstractEncoding`."""
        check_window(window_BTF, self.length, self.columns, scores=self.takes_scores)
        if takes_kernel(window_BTF):
            return drawn(self, window_BTF)
        with full_precision(window_BTF):
            sides = sides_of(window_BTF)
            blocks = self._given(sides) if self.config.scale == "given" else self._of_window(sides)
            return torch.stack(blocks, dim=-1).flatten(2)[:, None]

    def draw(self, window_BTF: Tensor, image_BCHW: Tensor) -> None:
        """Encode into memory that is there; see `Draws`."""
        config, window, image = self.config, as_array(window_BTF), as_array(image_BCHW)
        wanted = ((self.length * 2 * config.levels,), window_BTF.dtype)

        def share(first: int, end: int) -> None:
            if config.scale == "given":
                draw_scores(first, end, window, image, config.clip)
                return
            with self.scratch.lend(wanted) as (there,):
                draw_levels(first, end, window, image, config.reach or 0.0, config.ceiling, there)

        run_shared(share, len(window), grain=max(1, GRAIN_LEVELS // (2 * config.levels * self.length)))

    def blank(self) -> Tensor:
        """Every price at the mid, nothing resting."""
        level = torch.tensor([0.5, 0.5, 0.5, 0.5] if self.config.scale == "given" else [0.5, 0.0, 0.5, 0.0])
        return level.repeat(self.config.levels).expand(1, self.length, -1).clone()

    def pixel_map(self) -> PixelMap:
        """Rows are books; columns are price and size of each level."""
        shape = self.channels, self.height, self.width
        names = tuple(f"{field} {level}" for level in range(1, self.config.levels + 1) for field in FIELDS)
        place = np.broadcast_to(np.arange(self.width), shape)
        axis = PixelAxis(kind="factor", weights=by_place(place, self.width), names=names)
        return PixelMap(shape=shape, candles=by_row(np.eye(self.length), shape), axes=(axis,))

    def _given(self, sides: Sides) -> list[Tensor]:
        def scored(values: Tensor, there: Tensor) -> Tensor:
            return ((torch.where(there, values, 0.0) / self.config.clip + 1.0) / 2.0).clamp(0.0, 1.0)

        return [
            scored(sides.ask, sides.has_ask), scored(sides.ask_size, sides.has_ask),
            scored(sides.bid, sides.has_bid), scored(sides.bid_size, sides.has_bid),
        ]  # fmt: skip

    def _of_window(self, sides: Sides) -> list[Tensor]:
        anchor = anchor_last(sides)
        ask_BTK = torch.where(sides.has_ask, basis_points(sides.ask, anchor), 0.0)
        bid_BTK = torch.where(sides.has_bid, basis_points(sides.bid, anchor), 0.0)
        if self.config.reach is None:
            reach = positive_or_one(torch.maximum(ask_BTK.abs(), bid_BTK.abs()).amax(dim=(1, 2), keepdim=True))
        else:
            reach = torch.full_like(ask_BTK[:, :1, :1], self.config.reach)
        ask, bid = (((one / reach).clamp(-1.0, 1.0) + 1.0) / 2.0 for one in (ask_BTK, bid_BTK))
        median = positive_or_one(_median(sides))
        full = math.log1p(self.config.ceiling)
        ask_size, bid_size = (
            (torch.log1p(one / median) / full).clamp(max=1.0) for one in (sides.ask_size, sides.bid_size)
        )
        return [
            torch.where(sides.has_ask, ask, 1.0), ask_size, torch.where(sides.has_bid, bid, 0.0), bid_size,
        ]  # fmt: skip


def _median(sides: Sides) -> Tensor:
    """The upper median of the sizes above 0 of each window, shape (batch, 1, 1); 0 where there is none."""
    rising = torch.cat([sides.bid_size, sides.ask_size], dim=-1).flatten(1).sort(dim=1).values
    count_B = (rising > 0).sum(dim=1)
    rank_B = rising.shape[1] - 1 - (count_B - 1).clamp(min=0) // 2
    return rising.gather(1, rank_B[:, None])[:, :, None]


def build(config: Config, length: int) -> AbstractEncoding:
    """The encoding for windows of `length` books."""
    return BookLevels(config, length)
