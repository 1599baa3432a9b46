"""What a network reads instead of raw candles: factors of its instrument, and of others beside them.

Training, backtest, paper and live make their rows here, so that they cannot differ. Factors are computed on the whole
history that is given; `warm_up` says how much of it they need, so that a longer history changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych import features
from triptych.domain import CandleSeries
from triptych.domain.errors import DataError
from triptych.inference.base import NOBODY

OLDEST = 16
"""Candles by which a companion's last one may be older than the instrument's: holidays of another calendar."""


class Config(features.Config):
    """Factors that are computed from the candles; without any, the network reads raw candles."""

    names: tuple[str, ...] = Field(
        (), description="Factors and sets of factors, such as grid56, in the order of the columns; empty: raw candles."
    )
    companions: tuple[str, ...] = Field(
        (),
        description="Other instruments whose factors stand beside the instrument's own, in this order; the instrument "
        "itself is left out of the list.",
    )


class FactorRows:
    """Makes the rows: one a candle, the columns of the instrument first, those of each companion after them.

    Attributes:
        columns: names of an instrument's own columns.
        warm_up: candles before the first row that is known.
        companions: symbols of the companions.
    """

    def __init__(self, config: Config) -> None:
        self._pipeline = features.FeaturePipeline(config)
        self.columns = self._pipeline.columns
        self.warm_up = self._pipeline.warm_up
        self.companions = config.companions

    def beside(self, symbol: str) -> tuple[str, ...]:
        """The companions of an instrument: all but itself."""
        return tuple(other for other in self.companions if other != symbol)

    def rows(self, series: CandleSeries, companions: Mapping[str, CandleSeries] = NOBODY) -> NDArray[np.float32]:
        """Rows of a history.

        Args:
            series: candles of the instrument.
            companions: candles of every companion by symbol, of the same timeframe; more than those of this instrument
                may be there.

        Returns:
            float32 of shape (n_candles, columns * instruments). NaN where a value is not known yet, or where the
            last closed candle of a companion is more than 16 candles old.

        Raises DataError when a companion is missing or of another timeframe.
        """
        parts = [self._own(series)]
        for symbol in self.beside(series.symbol):
            other = companions.get(symbol)
            if other is None:
                raise DataError(
                    f"{series.symbol}: the model reads {symbol} as well, and there are no candles of it.",
                    remedy=f"Bring candles of {', '.join((series.symbol, *self.beside(series.symbol)))} together.",
                )
            if other.timeframe != series.timeframe:
                raise DataError(
                    f"{symbol} has candles of {other.timeframe}, {series.symbol} of {series.timeframe}.",
                    remedy="Resample them to one timeframe.",
                )
            parts.append(_as_of(self._own(other), other, series))
        return np.concatenate(parts, axis=1)

    def _own(self, series: CandleSeries) -> NDArray[np.float32]:
        rows = self._pipeline.rows(series.values, series.open_time_ms, series.timeframe.milliseconds)
        return rows.astype(np.float32)


def known_windows(rows: NDArray[np.floating], length: int) -> NDArray[np.bool_]:
    """Which rows end a window of `length` rows without an unknown value, shape (n_rows,)."""
    unknown = np.concatenate(([0], np.cumsum(np.isnan(rows).any(axis=1))))
    known = np.zeros(len(rows), dtype=bool)
    known[length - 1 :] = unknown[length:] == unknown[: len(unknown) - length]
    return known


def _as_of(rows: NDArray[np.float32], other: CandleSeries, series: CandleSeries) -> NDArray[np.float32]:
    """Rows of another instrument as they were known at each close of `series`."""
    last = np.searchsorted(other.close_time_ms, series.close_time_ms, side="right") - 1
    found = rows[np.maximum(last, 0)]
    age_ms = series.close_time_ms - other.close_time_ms[np.maximum(last, 0)]
    found[(last < 0) | (age_ms > OLDEST * series.timeframe.milliseconds)] = np.nan
    return found
