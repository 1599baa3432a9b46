"""Candlestick chart in colour: bodies, wicks, volume bars in the lower fifth, moving averages if wanted.

The lowest low and the highest high of the window fill the price area, so the picture knows neither the price level nor
the volatility of the instrument. Vertically every stroke is drawn by exact area coverage (`_geometry.py`); horizontally
the columns are shared out once, in whole pixels, so that the window always fills the width: all bodies are equally wide
and gaps differ by at most one pixel. With less than two pixels a candle there are no gaps, and some candles are wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, StringConstraints
from torch import Tensor, nn

from triptych.domain import CLOSE, OPEN
from triptych.domain import Config as BaseConfig
from triptych.domain.errors import RecipeError
from triptych.images._chart_kernel import draw_candlesticks
from triptych.images._chart_plan import candlestick_plan
from triptych.images._cpu import as_array, drawn, grain_of, run_shared, takes_kernel
from triptych.images._geometry import (
    Areas,
    Line,
    bars,
    coverage,
    moving_average,
    positions,
    row_centres,
    stroke,
    volumes,
)
from triptych.images._pixel_map import PixelMap, by_column, prices
from triptych.images._window import check_length, check_window
from triptych.images.base import AbstractEncoding

Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]

FULL_COLOR_PX = 0.25
"""A body of this many pixels has the full colour of its direction; below it, the two colours blend into one another."""


class Config(BaseConfig):
    """Options of the candlestick chart."""

    height: int = Field(default=64, ge=32, le=600, description="Rows of the image in pixels.")
    width: int = Field(default=64, ge=32, le=600, description="Columns of the image in pixels; at least one a candle.")
    up_color: Color = Field(default="#26a69a", description="Candles that close above their open, as #rrggbb.")
    down_color: Color = Field(default="#ef5350", description="Candles that close below their open, as #rrggbb.")
    background_color: Color = Field(default="#000000", description="Everything else, as #rrggbb.")
    wick_intensity: float = Field(
        default=0.6,
        gt=0,
        le=1,
        description="Strength of a wick's colour as a share of its body's: tells the two apart where a candle is only "
        "one or two pixels wide.",
    )
    volume: bool = Field(default=True, description="Draw volume bars in the lower fifth of the image.")
    moving_averages: tuple[Annotated[int, Field(ge=2)], ...] = Field(
        default=(),
        description="Periods in candles of simple moving averages of the close; each line begins at the first candle "
        "for which the window holds the whole period.",
    )
    moving_average_colors: tuple[Color, ...] = Field(
        default=("#ffd54f", "#4fc3f7", "#ba68c8", "#ffffff"),
        min_length=1,
        description="Colours of the moving averages in their order, as #rrggbb; used in turn.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """How the columns of the image are shared among the candles.

    Attributes:
        candle: candle of every column, int64 of shape (width,).
        body: whether the column shows a body, bool of shape (width,); the rest is gap.
        wick: whether it shows the wick as well, bool of shape (width,).
        centres: middle of every candle in pixels from the left, float64 of shape (length,).
    """

    candle: Tensor
    body: Tensor
    wick: Tensor
    centres: Tensor

    @classmethod
    def share(cls, length: int, width: int) -> Columns:
        """Share `width` columns among `length` candles; `width` is at least `length`."""
        slot = width // length
        body_width = max(1, slot - max(1, round(slot / 4)))
        wick_width = max(1, body_width // 8)
        if body_width > 2:
            # A wick of the same parity as the body stands exactly in its middle.
            wick_width += (body_width - wick_width) % 2
        column = torch.arange(width)
        candle = column * length // width
        start = -(-torch.arange(length + 1) * width // length)
        margin = (start.diff() - body_width) // 2
        offset = column - (start[:-1] + margin)[candle]
        wick_start = (body_width - wick_width) // 2
        if slot == 1:
            # No room for gaps: a candle that got a second column fills it, else the chart would have random holes.
            body = wick = torch.ones(width, dtype=torch.bool)
            return cls(candle=candle, body=body, wick=wick, centres=(start[:-1] + start[1:]).double() / 2)
        return cls(
            candle=candle,
            body=(offset >= 0) & (offset < body_width),
            wick=(offset >= wick_start) & (offset < wick_start + wick_width),
            centres=(start[:-1] + margin).double() + body_width / 2,
        )


class CandlestickChart(AbstractEncoding):
    """RGB chart of a window: 3 channels, red, green, blue.

    Body and wick are at least one pixel high, so that a doji is seen; where open and close nearly meet, the colour
    fades from one direction's into the other's, so the picture stays a continuous function of the prices. A window
    without any range shows a flat line in the middle.
    """

    def __init__(self, config: Config, length: int) -> None:
        super().__init__()
        _check(config, length)
        self.length, self.channels = length, 3
        self.height, self.width = config.height, config.width
        self.areas = Areas.divide(config.height, with_volume=config.volume)
        self.wick_intensity = config.wick_intensity
        self.black_background = config.background_color == "#000000"
        self.periods = config.moving_averages
        columns = Columns.share(length, config.width)
        self.register_buffer("candle", columns.candle, persistent=False)
        self.register_buffer("body", columns.body, persistent=False)
        self.register_buffer("wick", columns.wick, persistent=False)
        colors = (config.background_color, config.up_color, config.down_color)
        self.register_buffer("colors", torch.stack([_rgb(color) for color in colors]), persistent=False)
        self.lines = nn.ModuleList(Line(columns.centres[period - 1 :], config.width) for period in self.periods)
        palette = config.moving_average_colors
        line_colors = [_rgb(palette[i % len(palette)]) for i in range(len(self.periods))]
        self.register_buffer(
            "line_colors", torch.stack(line_colors) if line_colors else torch.zeros(0, 3), persistent=False
        )
        self.plan = candlestick_plan(
            candle=columns.candle,
            body=columns.body,
            wick=columns.wick,
            colors=self.get_buffer("colors"),
            line_colors=self.get_buffer("line_colors"),
            wick_intensity=config.wick_intensity,
            full_color_px=FULL_COLOR_PX,
            areas=self.areas,
            periods=self.periods,
            lines=[line for line in self.lines if isinstance(line, Line)],
        )

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Encode; see `AbstractEncoding`."""
        check_window(window_BTF, self.length)
        if takes_kernel(window_BTF):
            return drawn(self, window_BTF)
        y_BT4 = (1.0 - positions(window_BTF)) * self.areas.price
        ink_BHW = self._ink(y_BT4, volumes(window_BTF))
        color_B3W = self._color(y_BT4[..., OPEN] - y_BT4[..., CLOSE])
        if self.black_background:
            image = ink_BHW[:, None] * color_B3W[:, :, None]
        else:
            background = self.get_buffer("colors")[0].to(window_BTF.dtype)[:, None, None] / 255.0
            image = torch.addcmul(background, ink_BHW[:, None], color_B3W[:, :, None])
        rows = row_centres(self.height, window_BTF)
        for period, line, color in zip(self.periods, self.lines, self.get_buffer("line_colors"), strict=True):
            assert isinstance(line, Line)
            highest, lowest = line(moving_average(y_BT4[..., CLOSE], period))
            middle, half = stroke(highest - 0.5, lowest + 0.5, self.areas.price)
            line_BHW = coverage(middle, line.only_drawn(half), rows)
            image = torch.lerp(image, color.to(window_BTF.dtype)[:, None, None] / 255.0, line_BHW[:, None])
        return image

    def draw(self, window_BTF: Tensor, image_BCHW: Tensor) -> None:
        """Encode into memory that is there; see `Draws`."""
        grain = grain_of(self.channels * self.height * self.width)
        run_shared(
            draw_candlesticks, len(window_BTF), as_array(window_BTF), as_array(image_BCHW), self.plan, grain=grain
        )

    def blank(self) -> Tensor:
        background = self.get_buffer("colors")[0] / 255.0
        return background[:, None, None].expand(self.channels, self.height, self.width).clone()

    def pixel_map(self) -> PixelMap:
        shape = self.channels, self.height, self.width
        candle = self.get_buffer("candle").cpu().numpy()
        shown = (np.arange(self.length)[:, None] == candle).astype(np.float64)
        axis = prices(self.areas.price, shape, volume_rows=self.areas.volume)
        return PixelMap(shape=shape, candles=by_column(shown, shape), axes=(axis,))

    def _ink(self, y_BT4: Tensor, volume_BT: Tensor) -> Tensor:
        """Strength of the candle's colour in every pixel, shape (batch, height, width)."""
        rows = row_centres(self.areas.price, y_BT4)
        open_BT, high_BT, low_BT, close_BT = y_BT4.unbind(dim=-1)
        body = stroke(torch.minimum(open_BT, close_BT), torch.maximum(open_BT, close_BT), self.areas.price)
        wick = stroke(high_BT, low_BT, self.areas.price)
        ink = torch.maximum(
            coverage(*self._columns(*body, "body"), rows),
            coverage(*self._columns(*wick, "wick"), rows, self.wick_intensity),
        )
        if not self.areas.volume:
            return ink
        size_BW = volume_BT.index_select(1, self.get_buffer("candle")) * self.areas.volume
        return torch.cat([ink, torch.zeros_like(ink[:, :1]), bars(size_BW, self.areas.volume)], dim=1)

    def _columns(self, middle_BT: Tensor, half_BT: Tensor, where: str) -> tuple[Tensor, Tensor]:
        """Strokes of the candles as strokes of the columns; columns that do not show them stay empty."""
        candle = self.get_buffer("candle")
        half_BW = half_BT.index_select(1, candle)
        shown = torch.where(self.get_buffer(where), half_BW, -0.5)
        return middle_BT.index_select(1, candle), shown

    def _color(self, rise_BT: Tensor) -> Tensor:
        """Colour of every column less the background, shape (batch, 3, width); 0 in the gaps. `rise` in pixels."""
        background, up, down = (self.get_buffer("colors").to(rise_BT.dtype) / 255.0)[:, :, None]
        upness = (0.5 + rise_BT / (2.0 * FULL_COLOR_PX)).clamp(0.0, 1.0)
        color_B3T = torch.lerp(down, up, upness[:, None]) - background
        color_B3W: Tensor = color_B3T.index_select(-1, self.get_buffer("candle"))
        return color_B3W * self.get_buffer("body").to(rise_BT.dtype)


def build(config: Config, length: int) -> AbstractEncoding:
    """The encoding for windows of `length` candles.

    Raises RecipeError when the candles do not fit the width, or a moving average is longer than the window.
    """
    return CandlestickChart(config, length)


def _check(config: Config, length: int) -> None:
    check_length("candlestick", length)
    if length > config.width:
        raise RecipeError(
            f"candlestick: {length} candles do not fit into a width of {config.width} pixels.",
            remedy=f"Set width to {length} or more (3 pixels a candle show body and wick), or shorten the window.",
        )
    longest = max(config.moving_averages, default=0)
    if longest > length:
        raise RecipeError(
            f"candlestick: a moving average of {longest} candles is longer than the window of {length}.",
            remedy="An encoding sees only its own window: shorten the moving average or lengthen the window.",
        )


def _rgb(color: str) -> Tensor:
    """Red, green and blue from 0 to 255: whole numbers, exact in single precision, divided in that of the window."""
    return torch.tensor([float(int(color[i : i + 2], 16)) for i in (1, 3, 5)])
