"""The geometry that chart encodings share: where a price lies, and how much of each pixel a stroke covers.

Vertical positions are measured in pixels from the top edge of the image: row r of pixels spans r .. r + 1. A stroke
from `top` to `bottom` colours each pixel by the share of it that it covers, so a chart is a continuous function of the
prices: no rounding that could fall differently on another device, and gradients reach the prices.

Letters: B batch, T time (candles), H rows, W columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triptych.images._window import positive_or_one

VOLUME_SHARE = 5
"""Volume bars take the lower fifth of an image."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Areas:
    """How the rows of a chart are shared: prices above, one empty row, volume below."""

    price: int
    volume: int
    height: int

    @classmethod
    def divide(cls, height: int, *, with_volume: bool) -> Areas:
        """The areas of an image of `height` rows; without volume the prices take all of it."""
        volume = height // VOLUME_SHARE if with_volume else 0
        return cls(price=height - volume - 1 if with_volume else height, volume=volume, height=height)


def positions(window_BTF: Tensor) -> Tensor:
    """Prices as shares of the window's range: 0 at its lowest low, 1 at its highest high.

    Returns a tensor of shape (batch, time, 4): open, high, low, close. In a window without any range all are 0.5.
    """
    prices = window_BTF[..., :4]
    low = window_BTF[..., 2].amin(dim=1)[:, None, None]
    span = window_BTF[..., 1].amax(dim=1)[:, None, None] - low
    return torch.where(span > 0, (prices - low) / positive_or_one(span), torch.full_like(prices, 0.5))


def volumes(window_BTF: Tensor) -> Tensor:
    """Volumes as shares of the window's largest, shape (batch, time); 0 where nothing was traded."""
    volume = window_BTF[..., 4]
    return volume / positive_or_one(volume.amax(dim=1, keepdim=True))


def moving_average(x_BT: Tensor, period: int) -> Tensor:
    """Means of the last `period` values, shape (batch, time - period + 1): those the window holds in full."""
    return F.avg_pool1d(x_BT[:, None], kernel_size=period, stride=1)[:, 0]


def row_edges(height: int, like: Tensor) -> Tensor:
    """Upper edges of `height` rows of pixels, shape (height, 1), in the dtype and on the device of `like`."""
    return torch.arange(height, dtype=like.dtype, device=like.device)[:, None]


def coverage(top_BW: Tensor, bottom_BW: Tensor, edges_H1: Tensor) -> Tensor:
    """Share of every pixel that vertical strokes cover, one stroke a column.

    Args:
        top_BW, bottom_BW: ends of the strokes in pixels from the top, shape (batch, columns), top above bottom.
        edges_H1: upper edges of the rows, from `row_edges`.

    Returns:
        Tensor of shape (batch, height, columns), values in [0, 1].
    """
    covered = torch.minimum(bottom_BW[:, None], edges_H1 + 1.0)
    return covered.sub_(torch.maximum(top_BW[:, None], edges_H1)).clamp_(min=0.0)


def at_least_one_pixel(top: Tensor, bottom: Tensor, height: int) -> tuple[Tensor, Tensor]:
    """Strokes widened about their middle to one pixel, kept inside rows 0 .. height."""
    half = ((bottom - top) / 2).clamp(min=0.5)
    middle = torch.minimum(torch.maximum((top + bottom) / 2, half), height - half)
    return middle - half, middle + half


class Line(nn.Module):
    """Draws a line through one point a candle: where it enters and leaves every column of the image.

    It starts at the middle of the first candle, ends at the middle of the last, and is straight in between; a steep
    piece fills all rows it passes within a column, so the line never breaks. The pen is one pixel thick.

    Args:
        centres: middles of the candles in pixels from the left, float64 of shape (points,), rising.
        width: columns of the image.
    """

    def __init__(self, centres: Tensor, width: int) -> None:
        super().__init__()
        start, end = float(centres[0]), float(centres[-1])
        edges = torch.arange(width + 1, dtype=torch.float64)
        boundaries = edges.clamp(start, end)
        right = torch.searchsorted(centres, boundaries).clamp(min(1, len(centres) - 1), len(centres) - 1)
        left = (right - 1).clamp(min=0)
        gap = positive_or_one(centres[right] - centres[left])
        self.register_buffer("left", left, persistent=False)
        self.register_buffer("right", right, persistent=False)
        self.register_buffer("share", (boundaries - centres[left]) / gap, persistent=False)
        self.register_buffer("drawn", (edges[1:] > start) & (edges[:-1] <= end), persistent=False)

    def forward(self, rows_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Upper and lower ends of the stroke of every column, for `coverage`.

        Args:
            rows_BT: upper edge of the pen at every candle, in pixels from the top, shape (batch, points).

        Returns:
            Two tensors of shape (batch, width); in columns without the line both are 0.
        """
        share = self.get_buffer("share").to(rows_BT.dtype)
        before = rows_BT.index_select(1, self.get_buffer("left"))
        after = rows_BT.index_select(1, self.get_buffer("right"))
        at_edges = before + (after - before) * share
        entering, leaving = at_edges[:, :-1], at_edges[:, 1:]
        drawn = self.get_buffer("drawn").to(rows_BT.dtype)
        return torch.minimum(entering, leaving) * drawn, (torch.maximum(entering, leaving) + 1.0) * drawn
