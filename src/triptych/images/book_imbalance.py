"""Book imbalance: which side of a limit order book is heavier, by depth and time.

Rows go from the market (top) outward, columns are times, the latest on the right; a pixel is the share of bids among
all that rests no deeper: (1 + imbalance) / 2, 1 where there are bids only, 0.5 balanced, 0 asks only.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from triptych.domain import Config as BaseConfig
from triptych.domain import book_columns
from triptych.images._book_kernel import draw_imbalance
from triptych.images._book_rows import anchor_each, averaging, basis_points, into_rows, sides_of
from triptych.images._cpu import as_array, drawn, run_shared, takes_kernel
from triptych.images._pixel_map import PixelAxis, PixelMap, by_column, by_row
from triptych.images._scratch import Scratch
from triptych.images._window import check_length, check_window, full_precision, positive_or_one
from triptych.images.base import AbstractEncoding

GRAIN_LEVELS = 40_000
"""Levels in a share worth a thread."""


class Config(BaseConfig):
    """Options of the book imbalance."""

    levels: int = Field(default=20, ge=1, le=1000, description="Levels a side in a row of the window.")
    unit: Literal["level", "bp"] = Field(
        default="level",
        description="What rows are counted in: levels of the book, or distance from the mid in basis points.",
    )
    reach: float = Field(
        default=10.0, gt=0, description="Distance of the last row from the mid in basis points; for `unit = bp`."
    )
    height: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Rows of the image in pixels; levels are averaged or repeated to fit. Empty: one a level.",
    )
    width: int | None = Field(
        default=None,
        ge=2,
        le=4096,
        description="Columns of the image in pixels; books are averaged or repeated to fit. Empty: one a book.",
    )


class BookImbalance(AbstractEncoding):
    """One channel. Missing levels count as size 0; an empty book is balanced.

    Continuous and differentiable in sizes; by level, prices do not matter at all. `differentiable` says whether
    gradients reach the prices.
    """

    def __init__(self, config: Config, length: int) -> None:
        super().__init__()
        check_length("book imbalance", length)
        self.length = length
        self.columns = book_columns(config.levels)
        self.channels = 1
        self.height = config.levels if config.height is None else config.height
        self.width = length if config.width is None else config.width
        self.differentiable = config.unit == "bp"
        self.unit, self.reach, self.levels = config.unit, config.reach, config.levels
        self.scratch = Scratch()
        self.register_buffer("time_averaging", averaging(length, self.width), persistent=False)
        self.register_buffer("level_averaging", averaging(config.levels, self.height), persistent=False)

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Encode; see `AbstractEncoding`."""
        check_window(window_BTF, self.length, self.columns)
        if takes_kernel(window_BTF):
            return drawn(self, window_BTF)
        with full_precision(window_BTF):
            sides = sides_of(window_BTF)
            bids, asks = sides.bid_size, sides.ask_size
            if self.unit == "bp":
                anchor, per_row = anchor_each(sides), self.reach / self.height
                # The first row holds what lies within one row of the mid.
                bids = into_rows(bids, -basis_points(sides.bid, anchor) / per_row, self.height)
                asks = into_rows(asks, basis_points(sides.ask, anchor) / per_row, self.height)
            bids, asks = bids.cumsum(dim=-1), asks.cumsum(dim=-1)
            total = bids + asks
            share_BTH = torch.where(total > 0, bids / positive_or_one(total), 0.5)
            if self.unit == "level" and self.height != self.levels:
                share_BTH = torch.matmul(share_BTH, self.get_buffer("level_averaging").to(window_BTF.dtype))
            share_BHT = share_BTH.transpose(-1, -2)
            if self.width != self.length:
                share_BHT = torch.matmul(share_BHT, self.get_buffer("time_averaging").to(window_BTF.dtype))
            return share_BHT[:, None].clamp(0.0, 1.0)  # weights of a mean may sum to a little more than 1

    def draw(self, window_BTF: Tensor, image_BCHW: Tensor) -> None:
        """Encode into memory that is there; see `Draws`."""
        window, image = as_array(window_BTF), as_array(image_BCHW)
        by_level = self.unit == "level"
        per_row = window.dtype.type(0.0 if by_level else self.reach / self.height)
        by_levels, by_time = (
            as_array(self.get_buffer(name)[:, : None if resizes else 0])
            for name, resizes in (
                ("level_averaging", by_level and self.height != self.levels),
                ("time_averaging", self.width != self.length),
            )
        )
        deepest = max(self.levels, self.height)
        wanted = (
            ((2, deepest), torch.float64), ((self.length, deepest), torch.float64),
            ((self.length, self.height), torch.float64),
        )  # fmt: skip

        def share(first: int, end: int) -> None:
            with self.scratch.lend(*wanted) as memory:
                draw_imbalance(first, end, window, image, self.levels, per_row, by_levels, by_time, tuple(memory))

        run_shared(share, len(window), grain=max(1, GRAIN_LEVELS // (2 * self.levels * self.length)))

    def blank(self) -> Tensor:
        """Balanced books."""
        return torch.full((self.channels, self.height, self.width), 0.5)

    def pixel_map(self) -> PixelMap:
        """Columns are books; rows are levels, the best ones at the top."""
        shape = self.channels, self.height, self.width
        names = tuple(f"row {row + 1} from the mid" for row in range(self.height))
        axis = PixelAxis(kind="level", weights=by_row(np.eye(self.height), shape), names=names)
        books = self.get_buffer("time_averaging").double().cpu().numpy()
        return PixelMap(shape=shape, candles=by_column(books, shape), axes=(axis,))


def build(config: Config, length: int) -> AbstractEncoding:
    """The encoding for windows of `length` books."""
    return BookImbalance(config, length)
