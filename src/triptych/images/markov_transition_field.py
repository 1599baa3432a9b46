"""Markov transition field: how likely the series goes from where it was at one candle to where it was at another.

The values of a window are put into bins; P_ab is the share of the values in bin a whose next value is in bin b; and

    M_ij = P(bin of x_i -> bin of x_j)

whatever lies between i and j, so the diagonal tells how likely the series stays where it is. A bin that only the last
value of the window is in has no next value: its row of P is 0.

Source: Wang and Oates, "Encoding Time Series as Images for Visual Inspection and Classification Using Tiled
Convolutional Neural Networks", AAAI workshop 2015. The images equal those of pyts, except that pyts merges quantiles
closer than 1e-8, a number that means something else for every instrument, and lets rounding decide where a quantile
falls on a value (never with 2, 4, 8, .. bins). Equal quantiles leave a bin empty, which does not change the field. With
`strategy = "normal"` pyts compares the values themselves with the quantiles of the standard normal distribution, which
suits standardised series only; here every window is standardised first, and the images are those of pyts of the window
less its mean, divided by its standard deviation.

A bin is found by comparing values only, or by steps that round alike everywhere, so every backend draws the same image.
Of one dtype: prices rounded to float32 may be equal that were not, and one that lies on an edge of `uniform` or
`normal` bins to the last digit may fall into the next bin.

Letters: T time, N windows times channels (series), K bins, S side of the image.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import RecipeError
from triptych.images import _markov_kernels as kernels
from triptych.images._cpu import as_array, drawn, grain_of, run_shared, takes_kernel
from triptych.images._pixel_map import PixelMap, by_pair
from triptych.images._series import Series, rows_and_columns, stacked_series
from triptych.images._window import check_length, check_window, full_precision, positive_or_one
from triptych.images.base import AbstractEncoding


class Config(BaseConfig):
    """Options of the Markov transition field."""

    series: tuple[Series, ...] = Field(
        default=("close",),
        min_length=1,
        description="Series to draw, each one a channel: a candle field, `log_return` (logarithm of close over the "
        "close before; of the first candle, close over its own open) or `log_range` (logarithm of high over low).",
    )
    n_bins: int = Field(default=8, ge=2, le=256, description="Bins that the values of a window are put into.")
    strategy: Literal["quantile", "uniform", "normal"] = Field(
        default="quantile",
        description="Where bins end. `quantile`: each holds the same number of values. `uniform`: each spans the same "
        "share of the window's range. `normal`: at the quantiles of a normal distribution with the window's own mean "
        "and standard deviation.",
    )
    size: int | None = Field(
        default=None,
        ge=2,
        description="Side of the image in pixels, at most the window length; shorter than it, blocks of the field are "
        "averaged. Empty: the window length.",
    )


class MarkovTransitionField(AbstractEncoding):
    """One Markov transition field per series. A constant series stays in one bin: 1 everywhere.

    Not differentiable: a bin is a step.
    """

    differentiable = False

    def __init__(self, config: Config, length: int) -> None:
        super().__init__()
        check_length("markov_transition_field", length)
        size = length if config.size is None else config.size
        if size > length:
            raise RecipeError(
                f"markov_transition_field: size {size} exceeds the window length {length}.",
                remedy=f"Set size to {length} or less, or lengthen the window.",
            )
        self.config = config
        self.length = length
        self.channels = len(config.series)
        self.height = self.width = size
        inner = torch.arange(1, config.n_bins)
        # A quantile lies on a value or between two; the values above it are those above the lower of the two.
        below = inner * (length - 1) // config.n_bins
        bin_of_rank = (torch.arange(length)[:, None] > below).sum(dim=1).to(torch.uint8)
        bounds = torch.arange(size + 1) * length // size
        candles = torch.arange(length)
        is_member = (candles >= bounds[:-1, None]) & (candles < bounds[1:, None])
        self.register_buffer("below", below, persistent=False)
        # For the kernels, which run on the CPU wherever the buffers are.
        self._bin_of_rank, self._bounds = as_array(bin_of_rank), as_array(bounds)
        self.register_buffer("is_member", is_member, persistent=False)

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Encode; see `AbstractEncoding`."""
        check_window(window_BTF, self.length)
        if takes_kernel(window_BTF):
            return drawn(self, window_BTF)
        with full_precision(window_BTF):
            x_NT = self._values(window_BTF)
            bin_NT = self._bins(x_NT)
            is_in_NTK = (bin_NT[:, :, None] == torch.arange(self.config.n_bins, device=x_NT.device)).to(x_NT.dtype)
            count_NKK = is_in_NTK[:, :-1].transpose(1, 2) @ is_in_NTK[:, 1:]
            probability_NKK = count_NKK / count_NKK.sum(dim=2, keepdim=True).clamp(min=1.0)
            if self.height == self.length:
                share_NSK = is_in_NTK
            else:
                # The mean of a block is a product of the shares that the bins have in its two segments.
                is_member = self.get_buffer("is_member").to(x_NT.dtype)
                share_NSK = (is_member @ is_in_NTK) / is_member.sum(dim=1, keepdim=True)
            field_NSS = share_NSK @ probability_NKK @ share_NSK.transpose(1, 2)
            return field_NSS.reshape(window_BTF.shape[0], self.channels, self.height, self.width)

    def draw(self, window_BTF: Tensor, image_BCHW: Tensor) -> None:
        """Encode into memory that is there; see `Draws`."""
        grain = grain_of(self.length**2)
        fields = as_array(image_BCHW).reshape(-1, self.height, self.width)
        if self.config.strategy == "quantile":
            series = rows_and_columns(window_BTF, self.config.series)
            plan = self._bin_of_rank, self._bounds
            run_shared(kernels.draw_quantiles, len(fields), *series, *plan, fields, self.config.n_bins, grain=grain)
            return
        with torch.no_grad(), full_precision(window_BTF):
            bins = as_array(self._bins(self._values(window_BTF)).to(torch.uint8))
        run_shared(kernels.draw_bins, len(fields), bins, self._bounds, fields, self.config.n_bins, grain=grain)

    def pixel_map(self) -> PixelMap:
        shape = self.channels, self.height, self.width
        is_member = self.get_buffer("is_member").double()
        shares = (is_member / is_member.sum(dim=1, keepdim=True)).T.cpu().numpy()
        return PixelMap(shape=shape, candles=by_pair(shares, shape))

    def _values(self, window_BTF: Tensor) -> Tensor:
        """The series to draw, shape (N, T)."""
        return stacked_series(window_BTF, self.config.series).flatten(0, 1)

    def _bins(self, x_NT: Tensor) -> Tensor:
        """The bin of every value, int64 of shape (N, T)."""
        if self.config.strategy == "quantile":
            edge_NK = x_NT.sort(dim=1).values.index_select(1, self.get_buffer("below"))
            return (x_NT[:, :, None] > edge_NK[:, None, :]).sum(dim=2)
        low_N1, high_N1 = x_NT.amin(dim=1, keepdim=True), x_NT.amax(dim=1, keepdim=True)
        if self.config.strategy == "uniform":
            # In this order, as pyts rounds: prices lie on whole ticks, and so may fall on an edge to the last digit.
            step_N1 = (high_N1 - low_N1) / self.config.n_bins
            edge_NK = low_N1 + step_N1 * torch.arange(1, self.config.n_bins, device=x_NT.device, dtype=x_NT.dtype)
            return (x_NT[:, :, None] > edge_NK[:, None, :]).sum(dim=2)
        level_NT = (x_NT - low_N1) / positive_or_one(high_N1 - low_N1)
        shares = [k / self.config.n_bins for k in range(1, self.config.n_bins)]
        # A deviation exceeds e standard deviations when its square, with its sign, exceeds that of e times the
        # variance: no root, which libraries round differently.
        deviation_NT = level_NT - _sum(level_NT) / self.length
        variance_N1 = _sum(deviation_NT * deviation_NT) / self.length
        from scipy.special import ndtri  # takes its time to load, which trading need not wait for

        edges = [float(ndtri(share)) for share in shares]
        edge_NK = variance_N1 * level_NT.new_tensor([edge * abs(edge) for edge in edges])
        return ((deviation_NT * deviation_NT.abs())[:, :, None] > edge_NK[:, None, :]).sum(dim=2)


def build(config: Config, length: int) -> AbstractEncoding:
    """The encoding for windows of `length` candles. Raises RecipeError when `size` exceeds `length`."""
    return MarkovTransitionField(config, length)


def _sum(x_NT: Tensor) -> Tensor:
    """Sums over time, shape (N, 1): halves are added to one another, in an order that is the same everywhere."""
    width = 1 << (x_NT.shape[1] - 1).bit_length()
    x_NT = F.pad(x_NT, (0, width - x_NT.shape[1]))
    while width > 1:
        width //= 2
        x_NT = x_NT[:, :width] + x_NT[:, width:]
    return x_NT
