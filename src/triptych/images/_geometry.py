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
    return torch.where(span > 0, (prices - low) / positive_or_one(span), 0.5)


def volumes(window_BTF: Tensor) -> Tensor:
    """Volumes as shares of the window's largest, shape (batch, time); 0 where nothing was traded."""
    volume = window_BTF[..., 4]
    return volume / positive_or_one(volume.amax(dim=1, keepdim=True))


def moving_average(x_BT: Tensor, period: int) -> Tensor:
    """Means of the last `period` values, shape (batch, time - period + 1): those the window holds in full."""
    return F.avg_pool1d(x_BT[:, None], kernel_size=period, stride=1)[:, 0]


def running_total(x_BT: Tensor) -> Tensor:
    """Sums of the values up to each, shape as `x_BT`.

    Summed by doubling, in an order that is the same everywhere: `torch.cumsum` and its like elsewhere add up in orders
    and precisions of their own, and a pen that is rounded to whole rows shows the last digit.
    """
    shift = 1
    while shift < x_BT.shape[1]:
        x_BT = x_BT + F.pad(x_BT[:, :-shift], (shift, 0))
        shift *= 2
    return x_BT


def row_centres(height: int, like: Tensor) -> Tensor:
    """Middles of `height` rows of pixels, shape (height, 1), in the dtype and on the device of `like`."""
    return torch.arange(height, dtype=like.dtype, device=like.device)[:, None] + 0.5


def coverage(middle_BW: Tensor, half_BW: Tensor, rows_H1: Tensor, strength: float = 1.0) -> Tensor:
    """Share of every pixel that vertical strokes of at least one pixel cover, one stroke a column.

    A pixel whose middle lies d from the middle of a stroke of half length h >= 1/2 is covered by h + 1/2 - |d|, cut to
    0 .. 1. Working in place keeps this at one image written and four passes over it in cache.

    Args:
        middle_BW: middles of the strokes in pixels from the top, shape (batch, columns).
        half_BW: half their lengths, shape (batch, columns); -1/2 leaves a column empty.
        rows_H1: middles of the rows, from `row_centres`.
        strength: what a covered pixel is worth, above 0 up to 1.

    Returns:
        Tensor of shape (batch, height, columns), values in [0, strength].
    """
    distance = (rows_H1 * strength - middle_BW[:, None] * strength).abs_()
    return distance.neg_().add_((half_BW[:, None] + 0.5) * strength).clamp_(0.0, strength)


def bars(size_BW: Tensor, height: int) -> Tensor:
    """Share of every pixel that bars cover which rise `size` pixels from the foot of an area of `height` rows."""
    rows_below = height - 1.0 - torch.arange(height, dtype=size_BW.dtype, device=size_BW.device)[:, None]
    return (size_BW[:, None] - rows_below).clamp_(0.0, 1.0)


def stroke(top: Tensor, bottom: Tensor, height: int) -> tuple[Tensor, Tensor]:
    """Middle and half length of strokes, widened to one pixel where they are shorter, kept inside rows 0 .. height."""
    half = ((bottom - top) / 2).clamp(min=0.5)
    return torch.minimum(torch.maximum((top + bottom) / 2, half), height - half), half


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
        # Whole and half pixels, exact in single precision; double buffers would not go on every device.
        self.register_buffer("offset", (boundaries - centres[left]).float(), persistent=False)
        self.register_buffer("gap", gap.float(), persistent=False)
        # A line through one candle between two columns would have none: it takes the one on its right.
        reached = (edges[1:] > start) & ((edges[:-1] < end) | (edges[:-1] == start))
        self.register_buffer("drawn", reached, persistent=False)

    def forward(self, rows_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Where the pen is highest and lowest in every column.

        Args:
            rows_BT: where it is at every candle, in pixels from the top, shape (batch, points).

        Returns:
            Two tensors of shape (batch, width); `drawn` tells in which columns there is a line.
        """
        share = self.get_buffer("offset").to(rows_BT.dtype) / self.get_buffer("gap").to(rows_BT.dtype)
        before = rows_BT.index_select(1, self.get_buffer("left"))
        after = rows_BT.index_select(1, self.get_buffer("right"))
        at_edges = before + (after - before) * share
        entering, leaving = at_edges[:, :-1], at_edges[:, 1:]
        return torch.minimum(entering, leaving), torch.maximum(entering, leaving)

    def only_drawn(self, half_BW: Tensor) -> Tensor:
        """`half` with columns that the line does not reach left empty, as `coverage` wants it."""
        return torch.where(self.get_buffer("drawn"), half_BW, -0.5)
