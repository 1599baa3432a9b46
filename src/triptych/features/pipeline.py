"""From candles to rows of normalised factors: what networks on factors are fed, in training and live alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import CANDLE_FIELDS
from triptych.domain import Config as BaseConfig
from triptych.domain.errors import DataError, NotEnoughData
from triptych.features._history import History
from triptych.features.factor import Factor
from triptych.features.normalisation import rolling_scores, scores_of_known
from triptych.features.registry import describe, resolve


class Config(BaseConfig):
    """Which factors, and how they are normalised."""

    names: tuple[str, ...] = Field(
        ("grid56",),
        min_length=1,
        description="Factors and sets of factors (`grid56`, `patterns`, `indicators`, `book`, `all`).",
    )
    normalisation: Literal["none", "rolling"] = Field(
        "rolling", description="`rolling`: z-scores by the mean and standard deviation of the last candles; or none."
    )
    window: int = Field(640, ge=2, description="Candles of the rolling mean and standard deviation; 640 = 16 × 40.")
    clip: float = Field(4.0, gt=0, description="Scores are cut to -clip .. clip, in standard deviations.")


class FeaturePipeline:
    """Computes the factors of a `Config`.

    A row depends on the candles up to its own, and on no more of them than `warm_up` + 1: rows from any two histories
    that both hold these candles agree to 1e-6. Histories with gaps are taken as they are: the candle before is the
    last one there is. A factor of the order book is unknown where no book is; its score is taken against the known
    values of the last candles, and is unknown where they are fewer than half.

    Attributes:
        columns: names of the factors, in the order of the columns.
        warm_up: position of the first row that is known.
        levels: levels a side of order book that the factors read; 0: none.

    Raises RecipeError for unknown factors.
    """

    def __init__(self, config: Config, more: Sequence[Factor] = ()) -> None:
        """Build it; the factors `more` are those that a fitted model makes, and come behind the named ones."""
        self.config = config
        self._factors = (*(describe(name) for name in resolve(config.names)), *more)
        self.columns = tuple(factor.name for factor in self._factors)
        self.levels = max(factor.levels for factor in self._factors)
        self._of_books = np.array([factor.levels > 0 for factor in self._factors])
        self._settled = max(factor.settle for factor in self._factors)
        self.warm_up = self._settled + (config.window - 1 if config.normalisation == "rolling" else 0)

    def rows(
        self,
        values: NDArray[np.float64],
        open_time_ms: NDArray[np.int64],
        timeframe_ms: int,
        books: NDArray[np.float64] | None = None,
        notes: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> NDArray[np.float64]:
        """Factors of every candle.

        Args:
            values: candles of shape (n_candles, 5): open, high, low, close, volume; finite, prices above zero.
            open_time_ms: their open times, UTC milliseconds, shape (n_candles,).
            timeframe_ms: length of a candle.
            books: the order book as each candle closed, shape (n_candles, 4 * levels); see `CandleSeries.books`.
            notes: figures read off the books up to each close, by name; see `CandleSeries.notes`.

        Returns:
            float64 array of shape (n_candles, n_columns): NaN before row `warm_up`, finite from there on; columns of
            the order book also NaN where it is not known.

        Raises DataError for another shape, NotEnoughData when no row would be known or books have too few levels.
        """
        values = np.asarray(values, dtype=np.float64)
        n = len(values)
        if values.shape != (n, len(CANDLE_FIELDS)) or np.shape(open_time_ms) != (n,):
            raise DataError(
                f"Expected candles of shape (n, 5) with n open times, was {values.shape} with "
                f"{np.shape(open_time_ms)}.",
                remedy="Bring open, high, low, close, volume and one open time a candle.",
            )
        if n <= self.warm_up:
            shorter = ", or shorten `features.window`" if self.config.normalisation == "rolling" else ""
            raise NotEnoughData(
                f"The factors are known after {self.warm_up} candles, the history has {n}.",
                remedy=f"Bring at least {self.warm_up + 1} candles{shorter}.",
            )
        times = np.asarray(open_time_ms, dtype=np.int64)
        history = History(values, times, timeframe_ms, books, notes, read_from=self._settled)
        by_column = np.empty((len(self.columns), n))
        for column, factor in zip(by_column, self._factors, strict=True):
            column[:] = factor.compute(history)
        by_column[:, : self._settled] = np.nan
        rows = np.ascontiguousarray(by_column.T)
        if self.config.normalisation == "rolling":
            rows[self._settled :] = self._scores(rows[self._settled :])
        return rows

    def _scores(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        window, clip, of_books = self.config.window, self.config.clip, self._of_books
        if not of_books.any():
            return rolling_scores(rows, window, clip)
        scores = np.empty_like(rows)
        scores[:, ~of_books] = rolling_scores(rows[:, ~of_books], window, clip)
        scores[:, of_books] = scores_of_known(rows[:, of_books], window, clip)
        return scores
