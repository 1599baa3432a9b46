"""What a network reads instead of raw candles: factors of its instrument, and of others and longer timeframes beside.

Training, backtest, paper and live make their rows here, so that they cannot differ. Factors are computed on the whole
history that is given; `warm_up` says how much of it they need, so that a longer history changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from pydantic import Field, field_validator

from triptych import features
from triptych.domain import CandleSeries, Timeframe
from triptych.domain.errors import DataError
from triptych.features import days
from triptych.inference.base import NOBODY
from triptych.market.resampling import resample

OLDEST = 16
"""Candles by which a companion's last one may be older than the instrument's, and so many of its own by which one of a
longer timeframe may: holidays of another calendar, weekends.
"""


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
    periods: tuple[int, ...] = Field(
        (1,),
        description="Timeframes of the factors, in candles, the shortest first: with candles of 15m, [1, 4, 16] puts "
        "those of 1h and 4h beside, at each candle those of the last one that had closed.",
    )
    day: days.Config = Field(days.Config(), description="The venue's trading day, of pictures that show whole days.")
    detector: str | None = Field(
        None,
        description="Folder of an anomaly detector that was fitted on the channels of one instrument: its score and "
        "its latent state stand behind the factors of every instrument; the trained artifact carries a copy. Empty: "
        "none.",
    )

    @field_validator("periods")
    @classmethod
    def _must_rise_from_one(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if value[:1] != (1,) or list(value) != sorted(set(value)):
            raise ValueError("periods must rise from 1, such as [1, 4, 16]")
        return value


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowRows:
    """Rows as windows are cut from them.

    Attributes:
        values: float32 of shape (n_rows, columns): a row a candle, or a row a place on days of equal length.
        ends: int64 of shape (n_candles,): last row of the window that ends at the close of each candle; -1 where none
            does.
        step: rows from the end of a window to that of the next.
    """

    values: NDArray[np.float32]
    ends: NDArray[np.int64]
    step: int

    def known(self, length: int) -> NDArray[np.bool_]:
        """At which candles a window of `length` rows without an unknown value ends, shape (n_candles,)."""
        return (self.ends >= 0) & known_windows(self.values, length)[self.ends]

    def windows(self, length: int) -> NDArray[np.float32]:
        """All windows of `length` rows as a view on `values`, no copy: (n_rows - length + 1, length, columns).

        The window that ends at candle i is number `ends[i] - (length - 1)`.
        """
        if len(self.values) < length:
            return np.empty((0, length, self.values.shape[1]), dtype=np.float32)
        found: NDArray[np.float32] = sliding_window_view(self.values, length, axis=0).transpose(0, 2, 1)
        return found

    def turn(self) -> NDArray[np.int64]:
        """Number of each candle's window among those that may be cut, shape (n_candles,)."""
        return self.ends // self.step


class FactorRows:
    """Makes the rows, one a candle.

    The columns of the instrument come first, then those of each companion; then the same for each longer timeframe.

    Raises RecipeError for unknown factors, ArtifactError for a detector that is missing or of other channels.

    Attributes:
        columns: names of an instrument's own columns, of one timeframe.
        warm_up: candles before the first row that is known.
        companions: symbols of the companions.
        periods: candles in one of each timeframe.
        day: the venue's trading day; without hours, windows end at every candle.
    """

    def __init__(self, config: Config) -> None:
        self._pipeline = features.FeaturePipeline(config, _of_detector(config.detector))
        self.columns = self._pipeline.columns
        self.companions = config.companions
        self.periods = config.periods
        self.day = config.day
        # A longer candle at the start of the history may lack members, and one at its end may not have closed.
        longest = max(config.periods)
        self.warm_up = self._pipeline.warm_up if longest == 1 else longest * (self._pipeline.warm_up + 2)

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
            float32 of shape (n_candles, columns * instruments * timeframes). NaN where a value is not known yet, or
            where the last closed candle of a companion or of a longer timeframe is more than 16 of its candles old.

        Raises DataError when a companion is missing or of another timeframe, NotEnoughData when no row would be known.
        """
        all_series = [series]
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
            all_series.append(other)
        parts = [self._own(series), *(_as_of(self._own(other), other, series) for other in all_series[1:])]
        for period in self.periods[1:]:
            timeframe = Timeframe(period * series.timeframe.milliseconds)
            longer = [resample(one, timeframe) for one in all_series]
            parts += [_as_of(self._own(one), one, series) for one in longer]
        return np.concatenate(parts, axis=1)

    def table(self, series: CandleSeries, companions: Mapping[str, CandleSeries] = NOBODY) -> WindowRows:
        """The rows as windows are cut from them; arguments and errors as for `rows`.

        With a trading day they are laid out by the clock: windows hold whole days, short ones with places left empty,
        and end where a day closes. What a window holds depends on the candles up to its end, and on no more of them
        than fill its days.
        """
        rows = self.rows(series, companions)
        if not self.day.hours:
            return WindowRows(values=rows, ends=np.arange(len(rows)), step=1)
        found = days.places(series.open_time_ms, series.timeframe.milliseconds, self.day)
        return WindowRows(values=found.lay(rows), ends=np.where(found.closes, found.at, -1), step=found.per_day)

    def ends_window(self, series: CandleSeries) -> bool:
        """Whether a window ends with the last candle, by the clock alone."""
        if not self.day.hours:
            return True
        last = series.open_time_ms[-1:]
        return bool(days.places(last, series.timeframe.milliseconds, self.day).closes[0])

    def _own(self, series: CandleSeries) -> NDArray[np.float32]:
        rows = self._pipeline.rows(series.values, series.open_time_ms, series.timeframe.milliseconds)
        return rows.astype(np.float32)


def _of_detector(folder: str | None) -> tuple[features.Factor, ...]:
    """The factors of a saved detector. Raises ArtifactError where it is missing or of other channels."""
    if folder is None:
        return ()
    from triptych.inference.anomaly.factors import detector_factors  # takes a while to load
    from triptych.inference.anomaly.saving import load_detector

    return detector_factors(load_detector(Path(folder)))


def known_windows(rows: NDArray[np.floating], length: int) -> NDArray[np.bool_]:
    """Which rows end a window of `length` rows without an unknown value, shape (n_rows,)."""
    unknown = np.concatenate(([0], np.cumsum(np.isnan(rows).any(axis=1))))
    known = np.zeros(len(rows), dtype=bool)
    known[length - 1 :] = unknown[length:] == unknown[: len(unknown) - length]
    return known


def _as_of(rows: NDArray[np.float32], other: CandleSeries, series: CandleSeries) -> NDArray[np.float32]:
    """Rows of another instrument, or of a longer timeframe, as they were known at each close of `series`."""
    last = np.searchsorted(other.close_time_ms, series.close_time_ms, side="right") - 1
    found = rows[np.maximum(last, 0)]
    age_ms = series.close_time_ms - other.close_time_ms[np.maximum(last, 0)]
    found[(last < 0) | (age_ms > OLDEST * other.timeframe.milliseconds)] = np.nan
    return found
