"""The way back from an image: which candles, prices, factors or frequencies a pixel stands for.

An explanation is heat on pixels; what a trader wants to know is which candles and which prices it lies on. Each
encoding knows how it laid out its image and says so here, once, as weights: heat times weights is importance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, hstack

AxisKind = Literal["price", "factor", "frequency", "level"]
ROUNDING = 1e-6
"""Weights of a pixel that sum to 1 but for so much leave nothing over: they are made in single precision."""


@dataclass(frozen=True, kw_only=True)
class PixelAxis:
    """What else than candles the pixels of an image stand for.

    Attributes:
        kind: prices, factors, frequencies, or levels of an order book.
        weights: sparse, shape (entries, channels * height * width); a pixel's weights sum to 1, or to 0 where it stands
            for no entry.
        names: of the entries. Of prices, whose values depend on the window, only those of the areas of the image that
            lie beside the rows of prices and stand for something else: the pane of volumes. They are the last entries.
        levels: of prices: where each entry lies in the window's range, 0 at its lowest low, 1 at its highest high.
    """

    kind: AxisKind
    weights: csr_matrix
    names: tuple[str, ...] = ()
    levels: tuple[float, ...] = ()

    def __len__(self) -> int:
        return int(self.weights.shape[0])


@dataclass(frozen=True, kw_only=True)
class PixelMap:
    """What every pixel of an image stands for.

    Attributes:
        shape: channels, height and width of the image.
        candles: sparse, shape (length, channels * height * width), oldest candle first; a pixel's weights sum to 1, or
            to 0 where it stands for no candle, as the bars of a volume profile do.
        axes: what else pixels stand for.
    """

    shape: tuple[int, int, int]
    candles: csr_matrix
    axes: tuple[PixelAxis, ...] = ()

    def by_candle(self, heat_CHW: NDArray[np.floating]) -> NDArray[np.float64]:
        """Importance of every candle, shape (length,), from heat of shape (channels, height, width)."""
        return _product(self.candles, heat_CHW)

    def by_axis(self, axis: PixelAxis, heat_CHW: NDArray[np.floating]) -> NDArray[np.float64]:
        """Importance of every entry of one of `axes`, shape (entries,)."""
        return _product(axis.weights, heat_CHW)

    def outside(self, axis: PixelAxis, heat_CHW: NDArray[np.floating]) -> float:
        """Importance of the pixels, or parts of them, that stand for no entry of an axis: with it nothing is left out.

        Such are the empty row between two areas, and the channels of other encodings.
        """
        rest = 1.0 - np.asarray(axis.weights.sum(axis=0)).ravel()
        rest[np.abs(rest) < ROUNDING] = 0.0
        return float(rest @ heat_CHW.reshape(-1).astype(np.float64))


def by_column(weights: NDArray[np.floating], shape: tuple[int, int, int]) -> csr_matrix:
    """Weights of pixels from those of columns, shape (entries, width)."""
    channels, height, width = shape
    entry, column = np.nonzero(weights)
    rows = np.arange(channels * height)[:, None] * width
    return _sparse(entry, (rows + column), weights[entry, column], len(weights), shape)


def by_row(weights: NDArray[np.floating], shape: tuple[int, int, int]) -> csr_matrix:
    """Weights of pixels from those of rows, shape (entries, height)."""
    channels, height, width = shape
    entry, row = np.nonzero(weights)
    starts = (np.arange(channels)[:, None] * height + row) * width
    pixels = starts.T[:, :, None] + np.arange(width)
    entries = np.repeat(entry, channels * width)
    values = np.repeat(weights[entry, row], channels * width)
    return _sparse(entries, pixels.reshape(1, -1), values, len(weights), shape)


def by_pair(weights: NDArray[np.floating], shape: tuple[int, int, int]) -> csr_matrix:
    """Weights of pixels (i, j) that compare moment i with moment j: half of each; `weights` is (entries, side)."""
    return (0.5 * (by_row(weights, shape) + by_column(weights, shape))).tocsr()


def by_place(entry_CHW: NDArray[np.integer], entries: int) -> csr_matrix:
    """Weights where every pixel stands for one entry, whose number it holds; -1 for none."""
    flat = entry_CHW.reshape(-1)
    known = np.flatnonzero(flat >= 0)
    return coo_matrix((np.ones(len(known)), (flat[known], known)), shape=(entries, flat.size)).tocsr()


def prices(price_rows: int, shape: tuple[int, int, int], *, volume_rows: int = 0) -> PixelAxis:
    """The price axis of a chart whose upper `price_rows` rows are prices, the window's range from top to bottom.

    The lowest `volume_rows` rows, where there are any, are one more entry: the pane of volumes.
    """
    height = shape[1]
    levels = 1.0 - (np.arange(price_rows) + 0.5) / price_rows
    rows = np.eye(price_rows, height)
    if volume_rows:
        rows = np.vstack([rows, np.arange(height) >= height - volume_rows])
    return PixelAxis(
        kind="price",
        weights=by_row(rows, shape),
        names=("volume",) if volume_rows else (),
        levels=tuple(float(level) for level in levels),
    )


def joined(maps: Sequence[PixelMap]) -> PixelMap:
    """One map of images that stand one behind the other as channels; they share height, width and candles."""
    sizes = [int(np.prod(one.shape)) for one in maps]
    axes = []
    for place, one in enumerate(maps):
        for axis in one.axes:
            parts = [axis.weights if i == place else csr_matrix((len(axis), size)) for i, size in enumerate(sizes)]
            axes.append(PixelAxis(kind=axis.kind, weights=_beside(parts), names=axis.names, levels=axis.levels))
    return PixelMap(
        shape=(sum(one.shape[0] for one in maps), *maps[0].shape[1:]),
        candles=_beside([one.candles for one in maps]),
        axes=tuple(axes),
    )


def resized(one: PixelMap, height: int, width: int, mixing: NDArray[np.floating] | None = None) -> PixelMap:
    """The map of the image brought to another size, each new pixel standing for what lay at its middle.

    `mixing` holds the weights of the channels in the only one that is kept, shape (channels,); None keeps all.
    """
    channels, old_height, old_width = one.shape
    rows = (2 * np.arange(height) + 1) * old_height // (2 * height)
    columns = (2 * np.arange(width) + 1) * old_width // (2 * width)
    place = rows[:, None] * old_width + columns

    def moved(weights: csr_matrix) -> csr_matrix:
        parts = [weights[:, (c * old_height * old_width + place).reshape(-1)] for c in range(channels)]
        if mixing is None:
            return _beside(parts)
        return sum((share * part for share, part in zip(mixing.tolist(), parts, strict=True)), 0 * parts[0]).tocsr()

    return PixelMap(
        shape=(channels if mixing is None else 1, height, width),
        candles=moved(one.candles),
        axes=tuple(
            PixelAxis(kind=axis.kind, weights=moved(axis.weights), names=axis.names, levels=axis.levels)
            for axis in one.axes
        ),
    )


def _product(weights: csr_matrix, heat_CHW: NDArray[np.floating]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.asarray(weights @ heat_CHW.reshape(-1).astype(np.float64))
    return found


def _beside(parts: Sequence[csr_matrix]) -> csr_matrix:
    return hstack(parts, format="csr")


def _sparse(
    entry: NDArray[Any], pixels: NDArray[Any], values: NDArray[Any], entries: int, shape: tuple[int, int, int]
) -> csr_matrix:
    """A sparse matrix of weights; `pixels` has rows of as many places as there are entries and values."""
    many = pixels.shape[0]
    content = np.tile(values, many), (np.tile(entry, many), pixels.reshape(-1))
    return coo_matrix(content, shape=(entries, int(np.prod(shape)))).tocsr()
