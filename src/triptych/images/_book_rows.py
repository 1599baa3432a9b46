"""What the encodings of order books have in common: sides, the price they measure from, rows of price, columns of time.

A window holds rows of `book_columns(levels)`; a level that is missing is NaN. From here on it has size 0.

Letters: B batch, T time, K levels a side, H rows of the image, W columns of the image.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Sides(NamedTuple):
    """Prices and sizes, each of shape (batch, time, levels); where `has_..` is False both are made up."""

    bid: Tensor
    bid_size: Tensor
    ask: Tensor
    ask_size: Tensor
    has_bid: Tensor
    has_ask: Tensor


class Anchor(NamedTuple):
    """The price from which distances are measured: `base + half`, shape (batch, time) or (batch, 1).

    In two parts, because `price - base` is exact in any precision while a mid of 64,000.05 is not one of float32.
    `is_bid` says that `base` is a best bid; it is the best ask where a row has no bids.
    """

    base: Tensor
    half: Tensor
    is_bid: Tensor


def sides_of(window_BTF: Tensor) -> Sides:
    """Split a window; sizes of missing levels are 0, their prices 1."""
    bid, bid_size, ask, ask_size = window_BTF.chunk(4, dim=-1)
    bid_there = ~(bid.isnan() | bid_size.isnan())
    ask_there = ~(ask.isnan() | ask_size.isnan())
    return Sides(
        torch.where(bid_there, bid, 1.0), torch.where(bid_there, bid_size, 0.0),
        torch.where(ask_there, ask, 1.0), torch.where(ask_there, ask_size, 0.0),
        bid_there, ask_there,
    )  # fmt: skip


def anchor_each(sides: Sides) -> Anchor:
    """The mid of every row; with one side alone its best price, of an empty book 1."""
    has_bid, has_ask = sides.has_bid[..., 0], sides.has_ask[..., 0]
    bid, ask = sides.bid[..., 0], sides.ask[..., 0]
    base = torch.where(has_bid, bid, ask)
    half = torch.where(has_bid & has_ask, (ask - base) / 2, 0.0)
    return Anchor(base, half, has_bid)


def anchor_last(sides: Sides) -> Anchor:
    """The mid of the last row of the window that has a price, for all rows."""
    each = anchor_each(sides)
    priced_BT = sides.has_bid[..., 0] | sides.has_ask[..., 0]
    count = priced_BT.shape[1]
    order = torch.arange(count, device=priced_BT.device)
    last_B1 = torch.where(priced_BT, order, 0).amax(dim=1, keepdim=True)
    return Anchor(each.base.gather(1, last_B1), each.half.gather(1, last_B1), each.is_bid.gather(1, last_B1))


def basis_points(price_BTK: Tensor, anchor: Anchor) -> Tensor:
    """How far each price lies above the anchor, in basis points of it."""
    base, half = anchor.base[..., None], anchor.half[..., None]
    return ((price_BTK - base) - half) / (base + half) * 1e4


def ticks(price_BTK: Tensor, anchor: Anchor, tick_size: float) -> Tensor:
    """How far each price lies above the middle between two ticks in which, or just above which, the anchor lies.

    Always a whole number and a half, so that a level falls into one row of pixels. The distances are rounded, which
    removes what the precision of the window left of the price step, and with it the gradient.
    """
    base, half = anchor.base[..., None], anchor.half[..., None]
    spread = torch.round(2.0 * half / tick_size)
    middle = torch.where(anchor.is_bid[..., None], torch.floor(spread / 2), -1.0)
    return torch.round((price_BTK - base) / tick_size) - middle - 0.5


def into_rows(size_BTK: Tensor, row_BTK: Tensor, height: int) -> Tensor:
    """Add sizes up by row: a level between the centres of two rows is shared between them. Shape (batch, time, height).

    Sharing makes the image a continuous function of the price. What lies outside of the rows is left out.
    """
    below = torch.floor(row_BTK.clamp(-2.0, height + 1.0))
    share = row_BTK.clamp(-2.0, height + 1.0) - below
    # A row of padding at either end takes what is outside.
    index = below.to(torch.int64) + 1
    index = torch.cat([index.clamp(0, height + 1), (index + 1).clamp(0, height + 1)], dim=-1)
    parts = torch.cat([size_BTK * (1.0 - share), size_BTK * share], dim=-1)
    padded = torch.zeros_like(size_BTK[..., :1]).expand(-1, -1, height + 2)
    return padded.scatter_add(-1, index, parts)[..., 1:-1]


def averaging(length: int, width: int) -> Tensor:
    """Matrix of shape (length, width) that turns `length` equal stretches of time into `width`, by overlap.

    Columns sum to 1: wider than the window a column repeats its row, narrower it is the mean of its rows.
    """
    edges, bounds = torch.arange(length + 1).double() * width, torch.arange(width + 1).double() * length
    overlap = torch.minimum(edges[1:, None], bounds[None, 1:]) - torch.maximum(edges[:-1, None], bounds[None, :-1])
    return (overlap.clamp(min=0.0) / length).float()
