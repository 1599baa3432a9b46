"""Factor grids as views: the history of one image after another, kept once.

An image of 224 x 224 holds 56 days of 16 candles with 56 factors each: row r is candles 4 r .. 4 r + 3, side by side.
The next day's image starts four rows lower, so all images are windows on one array (vision, section 2.3).
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import ArrayLike, NDArray

from triptych.domain.errors import DataError, NotEnoughData, RecipeError


class GridHistory:
    """Rows of factors as the rows of images, in one float32 array; it grows by `append`.

    Args:
        rows: finite factors of shape (n_candles, n_factors), or (n_candles, n_instruments, n_factors): an image
            channel for each instrument.
        bars_per_row: candles side by side in a row of the image.

    Attributes:
        n_bars: candles held.

    Raises DataError for another number of axes, a value that is not finite or does not fit; RecipeError for
    `bars_per_row` below 1.
    """

    def __init__(self, rows: ArrayLike, bars_per_row: int = 4) -> None:
        if bars_per_row < 1:
            raise RecipeError(f"A row of the grid needs at least 1 candle, was {bars_per_row}.", remedy="Use 4.")
        first = np.asarray(rows)
        if first.ndim not in (2, 3) or 0 in first.shape[1:]:
            raise DataError(
                f"Expected rows of shape (candles, factors) or (candles, instruments, factors), was {first.shape}.",
                remedy="Stack the instruments' factors on the middle axis.",
            )
        self.bars_per_row = bars_per_row
        self.n_bars = 0
        self._bar_shape = first.shape[1:]
        self._flat = first.ndim == 2
        channels, factors = (1, *first.shape[1:])[-2:]
        # Candles lie one behind another within a channel, so a row of the image is a reshape away.
        self._bars = np.empty((channels, self._rounded(len(first)), factors), dtype=np.float32)
        self.append(first)

    @property
    def array(self) -> NDArray[np.float32]:
        """Full rows of the image, read-only: (n_bars // bars_per_row, width), or one such array an instrument."""
        channels, capacity, factors = self._bars.shape
        rows = self._bars.reshape(channels, capacity // self.bars_per_row, self.bars_per_row * factors)
        view = rows[:, : self.n_bars // self.bars_per_row]
        view.flags.writeable = False
        return view[0] if self._flat else view

    def append(self, rows: ArrayLike) -> None:
        """Add candles: shape (n, ...) as at the start, or that of a single candle.

        Takes time in proportion to the candles added, on average: the array doubles when it is full. Views handed out
        before keep what they show.
        """
        new = np.asarray(rows)
        if new.shape == self._bar_shape:
            new = new[None]
        if new.shape[1:] != self._bar_shape:
            raise DataError(
                f"Expected candles with factors of shape {self._bar_shape}, was {new.shape[1:]}.",
                remedy="Append rows of the pipeline that the grid was made from.",
            )
        bad = np.flatnonzero(~np.isfinite(new).all(axis=tuple(range(1, new.ndim))))
        if bad.size:
            raise DataError(
                f"Row {self.n_bars + int(bad[0])} holds a factor that is not finite.",
                remedy="Leave out the rows before the pipeline's `warm_up`.",
            )
        needed = self.n_bars + len(new)
        if needed > self._bars.shape[1]:
            channels, capacity, factors = self._bars.shape
            grown = np.empty((channels, self._rounded(max(needed, 2 * capacity)), factors), dtype=np.float32)
            grown[:, : self.n_bars] = self._bars[:, : self.n_bars]
            self._bars = grown
        channel_first = new[None] if self._flat else new.swapaxes(0, 1)
        self._bars[:, self.n_bars : needed] = channel_first
        self.n_bars = needed

    def ends(self, length_bars: int = 896, step_bars: int = 16) -> NDArray[np.int64]:
        """Position of each image's last candle, shape (n_samples,)."""
        self._check(length_bars, step_bars)
        full = self.n_bars // self.bars_per_row * self.bars_per_row
        return np.arange(length_bars - 1, full, step_bars, dtype=np.int64)

    def views(self, length_bars: int = 896, step_bars: int = 16) -> NDArray[np.float32]:
        """All images of `length_bars` candles, `step_bars` apart, oldest first; nothing is copied.

        Returns:
            Read-only float32 of shape (n_samples, height, width) or (n_samples, n_instruments, height, width): height
            is length_bars / bars_per_row, width bars_per_row * n_factors. Raises RecipeError when length or step is
            not a multiple of `bars_per_row`, NotEnoughData for fewer candles than one image needs.
        """
        samples = len(self.ends(length_bars, step_bars))
        array = self.array
        height, step = length_bars // self.bars_per_row, step_bars // self.bars_per_row
        row, pixel = array.strides[-2:]
        return as_strided(
            array,
            (samples, *array.shape[:-2], height, array.shape[-1]),
            (step * row, *array.strides[:-2], row, pixel),
            writeable=False,
        )

    def _check(self, length_bars: int, step_bars: int) -> None:
        for what, bars in (("length", length_bars), ("step", step_bars)):
            if bars < 1 or bars % self.bars_per_row:
                raise RecipeError(
                    f"The {what} of a grid must be a multiple of {self.bars_per_row} candles, was {bars}.",
                    remedy=f"A row of the image holds {self.bars_per_row} candles; whole rows are cut.",
                )
        if self.n_bars < length_bars:
            raise NotEnoughData(
                f"An image of {length_bars} candles cannot be cut from {self.n_bars}.",
                remedy=f"Bring at least {length_bars} candles with known factors.",
            )

    def _rounded(self, bars: int) -> int:
        return max(1, -(-bars // self.bars_per_row)) * self.bars_per_row
