"""Factor grid: many candles of many factors laid out as one picture, one channel an instrument.

A window of 896 candles (56 days of 16 candles of 15 minutes) with 56 factors is a matrix of 896 x 56 numbers. Read row
by row into rows of `bars_per_row` candles it becomes a picture of 224 x 224: a row holds four candles, a day is four
rows, and a day later the same picture has moved up by four rows. Windows of a table are views of it and cost nothing;
a batch of them is copied once, out of the table, and its pictures are written once, since values become shares.

Factors are z-scores cut to -clip .. clip; a pixel is (z + clip) / (2 clip). With clip 4 that is the (z + 4) * 26 of the
experiment this follows, divided by 208.

The order of the factors is arbitrary, and a convolution sees neighbours: `order` shuffles them by a seed, or takes an
order of one's own. With `correlation` training puts factors that move together side by side: `correlation_order` of the
training segment of each fold, which the saved model carries as a list. `layout` says what stands beside what.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import DataError, RecipeError
from triptych.images._cpu import as_array, drawn, grain_of, run_shared, takes_kernel
from triptych.images._grid_kernel import draw_grids, run_of
from triptych.images._pixel_map import PixelAxis, PixelMap, by_place
from triptych.images._window import check_length, check_window, full_precision
from triptych.images.base import AbstractEncoding


class Config(BaseConfig):
    """Options of the factor grid."""

    factors: int = Field(default=56, ge=1, le=1024, description="Factors of an instrument.")
    channels: int = Field(default=1, ge=1, le=64, description="Instruments, each a channel.")
    bars_per_row: int = Field(
        default=4, ge=1, le=1024, description="Candles in a row of the picture; the window length is a multiple of it."
    )
    clip: float = Field(
        default=4.0,
        gt=0,
        le=100,
        description="Scores of -clip are black, of +clip white; `features.clip` says the same.",
    )
    layout: Literal["bar_major", "factor_major", "factor_rows"] = Field(
        default="bar_major",
        description="`bar_major`: a row holds candle after candle, each with all its factors. `factor_major`: a row "
        "holds factor after factor, each with the candles of the row. `factor_rows`: every factor has rows of its own, "
        "the history from left to right, `bars_per_row` of them.",
    )
    order: Literal["", "shuffled", "correlation"] | tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default="",
        description="Order of the factors: empty as they come, `shuffled` by `order_seed`, `correlation`: those that "
        "move together in the training segment side by side (as they come where nothing was trained), or a list of "
        "positions.",
    )
    order_seed: int = Field(default=1, ge=0, description="Seed of a shuffled order.")
    upscale: int = Field(default=1, ge=1, le=32, description="Each pixel is repeated so often in both directions.")


class FactorGrid(AbstractEncoding):
    """The window as a picture, each instrument a channel; values outside the clip are cut to it."""

    def __init__(self, config: Config, length: int) -> None:
        super().__init__()
        check_length("factor_grid", length)
        bars = config.bars_per_row
        if length % bars:
            raise RecipeError(
                f"factor_grid: a window of {length} candles does not fill rows of {bars}.",
                remedy=f"Set window.length to {max(length // bars, 1) * bars}, or encoding.bars_per_row to a divisor.",
            )
        self.length, self.channels = length, config.channels
        self.factors, self.bars_per_row = config.factors, config.bars_per_row
        self.layout, self.clip, self.upscale = config.layout, config.clip, config.upscale
        rows = length // config.bars_per_row
        height, width = rows, config.bars_per_row * config.factors
        if config.layout == "factor_rows":
            height, width = config.factors * config.bars_per_row, rows
        self.height, self.width = height * config.upscale, width * config.upscale
        self.columns = tuple(f"factor_{c + 1}_{f + 1}" for c in range(config.channels) for f in range(config.factors))
        order = _order(config)
        self.reorders = order != tuple(range(config.factors))
        self.register_buffer("order", torch.tensor(order), persistent=False)
        self._places = _places(config, length, order)

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Encode; see `AbstractEncoding`. The columns are the factors of the first instrument, then the second's ..."""
        check_window(window_BTF, self.length, self.columns)
        if takes_kernel(window_BTF):
            return drawn(self, window_BTF)
        with full_precision(window_BTF):
            values = window_BTF.reshape(-1, self.length, self.channels, self.factors)
            if self.reorders:
                values = values.index_select(-1, self.get_buffer("order"))
            rows = self.length // self.bars_per_row
            parts = values.reshape(-1, rows, self.bars_per_row, self.channels, self.factors)
            if self.layout == "bar_major":
                picture = parts.permute(0, 3, 1, 2, 4).flatten(3)
            elif self.layout == "factor_major":
                picture = parts.permute(0, 3, 1, 4, 2).flatten(3)
            else:
                # Rows of one factor: the first holds the oldest `rows` candles, so time runs on from row to row.
                history = values.reshape(-1, self.bars_per_row, rows, self.channels, self.factors)
                picture = history.permute(0, 3, 4, 1, 2).flatten(2, 3)
            image = (picture + self.clip).mul_(0.5 / self.clip).clamp_(0.0, 1.0)  # one picture's memory, three passes
            if self.upscale > 1:
                image = image.repeat_interleave(self.upscale, dim=2).repeat_interleave(self.upscale, dim=3)
            return image

    def blank(self) -> Tensor:
        """Scores of zero."""
        return torch.full((self.channels, self.height, self.width), 0.5)

    def pixel_map(self) -> PixelMap:
        """Found by drawing a window whose values are their own places."""
        columns = len(self.columns)
        count = self.length * columns
        place = torch.arange(count, dtype=torch.float64).reshape(1, self.length, columns)
        drawn = self((2.0 * place / count - 1.0) * self.clip)[0] * count
        found = drawn.round().long().cpu().numpy()
        factors = PixelAxis(kind="factor", weights=by_place(found % columns, columns), names=self.columns)
        shape = self.channels, self.height, self.width
        return PixelMap(shape=shape, candles=by_place(found // columns, self.length), axes=(factors,))

    def draw(self, window_BTF: Tensor, image_BCHW: Tensor) -> None:
        """Encode into memory that is there; see `Draws`."""
        of_row, of_column = self._places
        grain = grain_of(self.channels * self.height * self.width)
        run_shared(
            draw_grids, len(window_BTF), as_array(window_BTF.flatten(1)), as_array(image_BCHW), of_row, of_column,
            run_of(of_column), self.factors, self.clip, grain=grain,
        )  # fmt: skip


def build(config: Config, length: int) -> AbstractEncoding:
    """The encoding for windows of `length` candles. Raises RecipeError when they do not fill the rows."""
    return FactorGrid(config, length)


def shuffled_order(factors: int, seed: int) -> tuple[int, ...]:
    """A random order of so many factors; the same seed gives the same order."""
    return tuple(int(i) for i in np.random.default_rng(seed).permutation(factors))


def correlation_order(rows: NDArray[np.floating]) -> tuple[int, ...]:
    """An order in which factors that move together stand together.

    Average-linkage clustering by 1 less the absolute correlation, leaves in optimal order. Give it rows of
    the training segment only: an order chosen with the test in sight has seen it.

    Args:
        rows: array of shape (n_candles, n_factors) without NaN.

    Raises DataError for NaN or fewer than two rows.
    """
    if len(rows) < 2 or not np.isfinite(rows).all():
        raise DataError(
            "An order by correlation needs at least two rows of known factors.", remedy="Leave the warm-up out."
        )
    centred = rows - rows.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0))
    normal = centred / np.where(scale > 0, scale, 1.0)
    distance = np.clip(1.0 - np.abs(normal.T @ normal), 0.0, None)
    np.fill_diagonal(distance, 0.0)
    if len(distance) < 3:
        return tuple(range(len(distance)))
    from scipy.cluster.hierarchy import leaves_list, linkage  # a third of a second, for a choice made once in training
    from scipy.spatial.distance import squareform

    tree = linkage(squareform(distance, checks=False), method="average", optimal_ordering=True)
    return tuple(int(i) for i in leaves_list(tree))


def _places(config: Config, length: int, order: tuple[int, ...]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Where in a flat window the pixels of every row and of every column of the first channel lie; both add up."""
    candle, bars = config.channels * config.factors, config.bars_per_row
    rows, factor = np.arange(length // bars, dtype=np.int64), np.array(order, dtype=np.int64)
    bar = np.arange(bars, dtype=np.int64) * candle
    if config.layout == "bar_major":
        of_row, of_column = rows * bars * candle, (bar[:, None] + factor).ravel()
    elif config.layout == "factor_major":
        of_row, of_column = rows * bars * candle, (factor[:, None] + bar).ravel()
    else:
        of_row, of_column = (factor[:, None] + bar * len(rows)).ravel(), rows * candle
    return (
        np.repeat(of_row, config.upscale).astype(np.uint64),
        np.repeat(of_column, config.upscale).astype(np.uint64),
    )


def _order(config: Config) -> tuple[int, ...]:
    if config.order == "shuffled":
        return shuffled_order(config.factors, config.order_seed)
    if isinstance(config.order, str):
        return tuple(range(config.factors))
    if sorted(config.order) != list(range(config.factors)):
        raise RecipeError(
            f"factor_grid: the order must hold each of 0 to {config.factors - 1} once, was {list(config.order)}.",
            remedy="Name every position once, or leave `order` empty.",
        )
    return config.order
