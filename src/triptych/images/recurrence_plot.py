"""Recurrence plot: which moments of a window resemble one another.

The state at candle i is the trajectory s_i = (x_i, x_{i + delay}, .., x_{i + (dimension - 1) delay}) of a series, and

    R_ij = 1 where norm(s_i - s_j) < limit, else 0,        or, without a threshold, R_ij = norm(s_i - s_j)

with the Euclidean distance, so the image has length - (dimension - 1) delay rows and columns. The limit is a fixed
distance, a share of the window's largest distance, or the distance that a share of all points stays within.

Source: Eckmann, Kamphorst and Ruelle, "Recurrence Plots of Dynamical Systems", Europhysics Letters 4, 1987; the limits
are those of pyts. One departure: where the limit is 0, because the window does not move or more points coincide than
were asked for, pyts leaves the image empty; here the points that coincide are 1.

Distances are compared by their measure: the distance itself for states of one value, else its square, so that no root
is rounded differently by another library and every backend draws the same points. The square of a difference must fit
the dtype: in float32, differences between 1e-18 and 1e18.

Letters: B batch, T time, N windows times channels (series), S side of the image, P pairs of states i < j.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import RecipeError
from triptych.images import _recurrence_kernels as kernels
from triptych.images._cpu import as_array, drawn, grain_of, run_shared, takes_kernel
from triptych.images._pixel_map import PixelMap, by_pair
from triptych.images._series import Series, rows_and_columns, stacked_series
from triptych.images._window import check_length, check_window, full_precision, positive_or_one
from triptych.images.base import AbstractEncoding


class Config(BaseConfig):
    """Options of the recurrence plot."""

    series: tuple[Series, ...] = Field(
        default=("close",),
        min_length=1,
        description="Series to draw, each one a channel: a candle field, `log_return` (logarithm of close over the "
        "close before; of the first candle, close over its own open) or `log_range` (logarithm of high over low).",
    )
    dimension: int = Field(default=1, ge=1, description="Values of the series in a state (embedding dimension).")
    delay: int = Field(default=1, ge=1, description="Candles between the values of a state.")
    threshold: Literal["none", "fixed", "distance", "point"] = Field(
        default="none",
        description="What counts as recurrent. `none`: the image shows the distances themselves. `fixed`: distances "
        "below `epsilon`. `distance`: below `share` of the window's largest distance. `point`: below the distance that "
        "`share` of all points of the image stay within.",
    )
    epsilon: float = Field(
        default=0.1, gt=0, description="Limit of the threshold `fixed`, in the units that `units` names."
    )
    share: float = Field(
        default=0.1, gt=0, le=1, description="Share for the thresholds `distance` and `point`: 0.1 is a tenth."
    )
    units: Literal["range", "series"] = Field(
        default="range",
        description="Units of distances. `range`: the range of the series (maximum less minimum) in the window, so "
        "that neither price level nor volatility matters. `series`: the series' own, for study: without a threshold "
        "the image then leaves [0, 1], and a fixed `epsilon` is an amount of money.",
    )


class RecurrencePlot(AbstractEncoding):
    """One recurrence plot per series.

    Without a threshold, in units of the range, a pixel is the root of the mean square difference of the two states'
    values: the Euclidean distance over the root of `dimension`, so that 1 is the most there can be. `epsilon` is
    compared with the Euclidean distance itself.

    Distances are differentiable, with gradient 0 where two states coincide; thresholded plots are not.
    """

    def __init__(self, config: Config, length: int) -> None:
        super().__init__()
        check_length("recurrence_plot", length)
        side = length - (config.dimension - 1) * config.delay
        if side < 2:
            raise RecipeError(
                f"recurrence_plot: a window of {length} candles holds {max(side, 0)} states of {config.dimension} "
                f"values {config.delay} candles apart, and an image needs 2.",
                remedy=f"Lower dimension or delay, or lengthen the window to {length + 2 - side} candles or more.",
            )
        self.config = config
        self.length = length
        self.channels = len(config.series)
        self.height = self.width = side
        self.differentiable = config.threshold == "none"
        self.offsets = range(0, config.dimension * config.delay, config.delay)
        self.order = _order(side, config.share)
        self.scales = config.threshold == "none" and config.units == "range"
        self.most = math.sqrt(config.dimension)  # the largest distance there can be, in ranges
        pairs = torch.triu_indices(side, side, offset=1) if config.threshold in ("distance", "point") else None
        self.register_buffer("pairs", pairs, persistent=False)

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Encode; see `AbstractEncoding`."""
        check_window(window_BTF, self.length)
        if takes_kernel(window_BTF):
            return drawn(self, window_BTF)
        with full_precision(window_BTF):
            x_NT = self._values(window_BTF)
            if self.scales:
                x_NT = self._scaled(x_NT)
            measure_NSS = self._measure(x_NT)
            if self.config.threshold != "none":
                if self.config.threshold == "point" and self.order >= 0:
                    limit_N = _ordered(self._measure_pairs(x_NT), self.order)
                else:
                    limit_N = self._limit(x_NT)
                limit_N = limit_N.clamp(min=torch.finfo(x_NT.dtype).tiny)
                image_NSS = (measure_NSS < limit_N[:, None, None]).to(x_NT.dtype)
            elif self.config.dimension == 1:
                image_NSS = measure_NSS
            else:
                # The slope of the root is infinite at 0, and 0 times infinity is NaN: of the smallest number it is not.
                root_NSS = measure_NSS.clamp(min=torch.finfo(x_NT.dtype).tiny).sqrt()
                image_NSS = torch.where(measure_NSS > 0, root_NSS, 0.0)
            return image_NSS.reshape(window_BTF.shape[0], self.channels, self.height, self.width)

    def draw(self, window_BTF: Tensor, image_BCHW: Tensor) -> None:
        """Encode into memory that is there; see `Draws`."""
        series = rows_and_columns(window_BTF, self.config.series)
        image = as_array(image_BCHW).reshape(-1, self.height, self.width)
        least = float(torch.finfo(window_BTF.dtype).tiny)
        if self.config.threshold == "none":
            self._run(kernels.draw_distances, *series, image, self.scales, self.most)
        elif self.config.threshold == "point" and self.order >= 0:
            self._run(kernels.draw_nearest, *series, image, self.order, least)
        else:
            with torch.no_grad(), full_precision(window_BTF):
                limit_N = self._limit(self._values(window_BTF)).clamp(min=least)
            self._run(kernels.draw_recurrences, *series, image, as_array(limit_N))

    def pixel_map(self) -> PixelMap:
        shape = self.channels, self.height, self.width
        shares = np.zeros((self.length, self.width))
        for offset in self.offsets:  # a state is `dimension` candles, `delay` apart
            shares[np.arange(self.width) + offset, np.arange(self.width)] += 1.0 / len(self.offsets)
        return PixelMap(shape=shape, candles=by_pair(shares, shape))

    def _values(self, window_BTF: Tensor) -> Tensor:
        """The series, shape (N, T)."""
        return stacked_series(window_BTF, self.config.series).flatten(0, 1)

    def _scaled(self, x_NT: Tensor) -> Tensor:
        """The series in units that make distances shares of the range, shape (N, T)."""
        low_N1 = x_NT.amin(dim=1, keepdim=True)
        return (x_NT - low_N1) / (positive_or_one(x_NT.amax(dim=1, keepdim=True) - low_N1) * self.most)

    def _limit(self, x_NT: Tensor) -> Tensor:
        """What the measure of a recurrent point is below, shape (N); 0 where few points suffice, the diagonal."""
        config = self.config
        if config.threshold == "point":
            return torch.zeros_like(x_NT[:, 0])
        if config.threshold == "distance":
            return self._largest(x_NT) * config.share ** min(config.dimension, 2)
        limit_N = config.epsilon * (_range(x_NT) if config.units == "range" else torch.ones_like(x_NT[:, 0]))
        return limit_N if config.dimension == 1 else limit_N * limit_N

    def _largest(self, x_NT: Tensor) -> Tensor:
        """The largest measure of a pair, shape (N)."""
        if self.config.dimension == 1:
            return _range(x_NT)
        if not takes_kernel(x_NT):
            return self._measure_pairs(x_NT).amax(dim=1)
        largest_N = torch.empty_like(x_NT[:, 0])
        self._run(kernels.largest_squares, as_array(x_NT), as_array(largest_N))
        return largest_N

    def _measure(self, x_NT: Tensor) -> Tensor:
        """Measures of all points, shape (N, S, S)."""
        values = [x_NT[:, k : k + self.height] for k in self.offsets]
        return _measure([v_NS[:, :, None] - v_NS[:, None, :] for v_NS in values])

    def _measure_pairs(self, x_NT: Tensor) -> Tensor:
        """Measures of all pairs, shape (N, P)."""
        i, j = self.get_buffer("pairs")
        return _measure([x_NT.index_select(1, i + k) - x_NT.index_select(1, j + k) for k in self.offsets])

    def _run(self, kernel: Callable[..., None], rows: NDArray[Any], *arguments: object) -> None:
        grain = grain_of(self.height * self.width * self.config.dimension)
        count = len(rows) * (self.channels if rows.ndim == 3 else 1)
        run_shared(kernel, count, rows, *arguments, self.config.dimension, self.config.delay, grain=grain)


def build(config: Config, length: int) -> AbstractEncoding:
    """The encoding for windows of `length` candles.

    Raises RecipeError when `dimension` and `delay` leave less than two states in a window.
    """
    return RecurrencePlot(config, length)


def _measure(differences: list[Tensor]) -> Tensor:
    """The absolute difference where there is one, else the sum of squares."""
    if len(differences) == 1:
        return differences[0].abs()
    total = differences[0] * differences[0]
    for difference in differences[1:]:
        total = total + difference * difference
    return total


def _range(x_NT: Tensor) -> Tensor:
    return x_NT.amax(dim=1) - x_NT.amin(dim=1)


def _order(side: int, share: float) -> int:
    """Place of the point limit among the pairs in rising order, from 0; negative: the limit is 0.

    The limit is the percentile of all points, which lies between two of them or on one: of those two, the points below
    the percentile are exactly the points below the upper one, so no interpolation is needed. In rising order the points
    are the diagonal, all 0, and then every pair twice. The share is taken as the decimal number that was written.
    """
    place = math.ceil(Fraction(str(share)) * (side * side - 1))
    return (place - side) // 2


def _ordered(measure_NP: Tensor, order: int) -> Tensor:
    """The value at place `order` of every row in rising order, shape (N)."""
    pairs = measure_NP.shape[1]
    if order < pairs // 2:
        return measure_NP.topk(order + 1, dim=1, largest=False, sorted=False).values.amax(dim=1)
    return measure_NP.topk(pairs - order, dim=1, largest=True, sorted=False).values.amin(dim=1)
