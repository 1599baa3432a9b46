"""The Gramian angular fields: what GASF and GADF have in common.

With a series scaled to x in [-1, 1] inside its window and the angle phi = arccos x,

    GASF_ij = cos(phi_i + phi_j) = c_i c_j - s_i s_j
    GADF_ij = sin(phi_i - phi_j) = s_i c_j - c_i s_j        with c = x and s = sqrt(1 - x^2),

so an image is a product of two thin matrices and no angle is ever computed. With u = (x - min) / range and
v = (max - x) / range, c = u - v and s = 2 sqrt(u v): u and v are both exact near their zero, where 1 - x^2 would have
lost half of its digits. The mapping to [0, 1] is a third column of the thin matrices, not a second pass over the image.
On the CPU a compiled loop (`_gramian_kernel.py`) does the same at the speed of the memory.

Source: Wang and Oates, "Imaging Time-Series to Improve Classification and Imputation", IJCAI 2015.
Letters: B batch, C channels (series), T time, S side of the image.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from triptych.domain import Config
from triptych.domain.errors import RecipeError
from triptych.images._cpu import as_array, drawn, grain_of, run_shared, takes_kernel
from triptych.images._gramian_kernel import draw_fields
from triptych.images._pixel_map import PixelMap, by_pair
from triptych.images._series import Series, rows_and_columns, stacked_series
from triptych.images._window import check_length, check_window, full_precision, positive_or_one
from triptych.images.base import AbstractEncoding


class AbstractGramianConfig(Config):
    """Options of GASF and GADF."""

    series: tuple[Series, ...] = Field(
        default=("close",),
        min_length=1,
        description="Series to draw, each one a channel: a candle field, `log_return` (logarithm of close over the "
        "close before; of the first candle, close over its own open) or `log_range` (logarithm of high over low).",
    )
    size: int | None = Field(
        default=None,
        ge=2,
        description="Side of the image in pixels, at most the window length; shorter than it, neighbouring candles are "
        "averaged first (piecewise aggregate approximation). Empty: the window length.",
    )
    signed: bool = Field(
        default=False,
        description="Return the field itself, values in [-1, 1], instead of (field + 1) / 2 in [0, 1]. "
        "For study: networks are fed from [0, 1].",
    )


class GramianAngularField(AbstractEncoding):
    """One Gramian angular field per series; `signed` gives values in [-1, 1].

    A series that is constant in its window has no direction: x = 0, so that GASF is -1 and GADF 0 everywhere.
    Where the series touches its minimum or maximum the field has no derivative; the gradient through s is 0 there.
    """

    def __init__(self, *, kind: Literal["summation", "difference"], config: AbstractGramianConfig, length: int) -> None:
        super().__init__()
        check_length("Gramian angular field", length)
        size = length if config.size is None else config.size
        if size > length:
            raise RecipeError(
                f"Gramian angular field: size {size} exceeds the window length {length}.",
                remedy=f"Set size to {length} or less, or lengthen the window.",
            )
        self.kind = kind
        self.series = config.series
        self.signed = config.signed
        self.length = length
        self.channels = len(config.series)
        self.height = self.width = size
        members, is_member = _segments(length, size)
        signs = torch.tensor([1.0, -1.0] if config.signed else [0.5, -0.5, 0.5])
        self.register_buffer("signs", signs[:, None], persistent=False)
        self.register_buffer("members", members, persistent=False)
        self.register_buffer("is_member", is_member, persistent=False)

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Encode; see `AbstractEncoding`."""
        check_window(window_BTF, self.length)
        if takes_kernel(window_BTF):
            return drawn(self, window_BTF)
        with full_precision(window_BTF):
            x_BCT = self._points(window_BTF)
            cos_BCS, sin_BCS = cosine_and_sine(x_BCT)
            left, right = [cos_BCS, sin_BCS], [cos_BCS, sin_BCS]
            if self.kind == "difference":
                left.reverse()
            if not self.signed:
                one = torch.ones_like(cos_BCS)
                left, right = [*left, one], [*right, one]
            # Stacked along the slow axis: rows are copied whole, and the product takes the transposed view as it is.
            signs = self.get_buffer("signs").to(window_BTF.dtype)
            return torch.matmul((torch.stack(left, dim=-2) * signs).transpose(-1, -2), torch.stack(right, dim=-2))

    def draw(self, window_BTF: Tensor, image_BCHW: Tensor) -> None:
        """Encode into memory that is there; see `Draws`."""
        if self.width < self.length:
            with torch.no_grad(), full_precision(window_BTF):
                rows = as_array(self._points(window_BTF).transpose(1, 2))
            columns = np.arange(self.channels)
        else:
            rows, columns = rows_and_columns(window_BTF, self.series)
        grain = grain_of(self.height * self.width)
        image = as_array(image_BCHW)
        fields = image.reshape(-1, self.height, self.width)
        inside = image.dtype.type(_inside(window_BTF.dtype))
        difference = self.kind == "difference"
        run_shared(draw_fields, len(fields), rows, columns, fields, difference, self.signed, inside, grain=grain)

    def blank(self) -> Tensor:
        return torch.full((self.channels, self.height, self.width), 0.0 if self.signed else 0.5)

    def pixel_map(self) -> PixelMap:
        shape = self.channels, self.height, self.width
        is_member = self.get_buffer("is_member").double()
        shares = torch.zeros(self.height, self.length, dtype=torch.float64)
        shares.scatter_add_(1, self.get_buffer("members"), is_member / is_member.sum(dim=1, keepdim=True))
        return PixelMap(shape=shape, candles=by_pair(shares.T.cpu().numpy(), shape))

    def _points(self, window_BTF: Tensor) -> Tensor:
        """The series to draw, shape (batch, channels, side of the image)."""
        x_BCT = stacked_series(window_BTF, self.series)
        return self._aggregate(x_BCT) if self.width < self.length else x_BCT

    def _aggregate(self, x_BCT: Tensor) -> Tensor:
        # Scaled before it is averaged: sums of raw prices would cost the digits in which candles differ.
        low = x_BCT.amin(dim=-1, keepdim=True)
        scaled = (x_BCT - low) / positive_or_one(x_BCT.amax(dim=-1, keepdim=True) - low)
        members = self.get_buffer("members")
        is_member = self.get_buffer("is_member").to(x_BCT.dtype)
        parts = scaled.index_select(-1, members.flatten()).reshape(*scaled.shape[:-1], *members.shape)
        return (parts * is_member).sum(dim=-1) / is_member.sum(dim=-1)


def cosine_and_sine(x: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the angles of series scaled to [-1, 1] along the last axis; shapes as `x`.

    Rounding may leave such a point just outside of the unit circle, and then a product of two outside of the range: all
    but the ends of the range, which are exact, are moved inward by two digits of the last place.
    """
    low, high = x.amin(dim=-1, keepdim=True), x.amax(dim=-1, keepdim=True)
    scale = positive_or_one(high - low)
    above, below = (x - low) / scale, (high - x) / scale
    # The slope of the root is infinite at 0, and 0 times infinity is NaN: with the smallest number the gradient is 0.
    sine = 2.0 * torch.sqrt((above * below).clamp(min=torch.finfo(x.dtype).tiny))
    within = torch.where((above > 0) & (below > 0), _inside(x.dtype), 1.0)
    return (above - below) * within, torch.where(high > low, sine * within, 1.0)


def _inside(dtype: torch.dtype) -> float:
    return 1.0 - 2.0 * torch.finfo(dtype).eps


def _segments(length: int, size: int) -> tuple[Tensor, Tensor]:
    """Members of the segments whose means shorten `length` values to `size`, and which of them count.

    Both are of shape (size, longest segment). As in pyts, segment i holds the values floor(i * length / size) up to
    floor((i + 1) * length / size).
    """
    bounds = torch.arange(size + 1) * length // size
    lengths = bounds.diff()[:, None]
    offsets = torch.arange(int(lengths.max()))
    members = (bounds[:-1, None] + offsets).clamp(max=length - 1)
    return members, offsets < lengths
