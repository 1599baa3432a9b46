"""What a network reads instead of raw candles: factors of its instrument, and of others and longer timeframes beside.

Training, backtest, paper and live make their rows here, so that they cannot differ. Factors are computed on the whole
history that is given; `warm_up` says how much of it they need, so that a longer history changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from triptych import features
from triptych.domain import CANDLE_FIELDS, CandleSeries, Timeframe
from triptych.domain.errors import DataError
from triptych.features import days
from triptych.inference.base import NOBODY
from triptych.inference.book_rows import NetworkConfig, RowsConfig, readers_of
from triptych.inference.closed_market import ages_ms, closed_beside
from triptych.inference.closing_times import LOOK_BACK, NO_PAST
from triptych.inference.columns import Columns, no_whole_days
from triptych.inference.pattern_factors import Config as PatternNetworksConfig
from triptych.inference.pattern_factors import pattern_factors
from triptych.market.books.row_reading import AbstractRowReader
from triptych.market.resampling import floor_times, resample

OLDEST = 16
"""Candles by which a companion's last one may be older than the instrument's (holidays of another calendar), and so
many of its own by which one of a longer timeframe may: after an outage. Nights, weekends and holidays are no age of
the latter, see `closed_market`.
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
    period: int = Field(
        1,
        ge=1,
        le=10_000,
        description="The network reads candles, or their factors, of a timeframe so many times longer: with candles of "
        "5m, 12 reads those of 1h. At every candle the window ends with the last longer one that had closed. For the "
        "members of a consensus, which share the candles they decide on.",
    )
    day: days.Config = Field(days.Config(), description="The venue's trading day, of pictures that show whole days.")
    detector: str | None = Field(
        None,
        description="Folder of an anomaly detector that was fitted on the channels of one instrument: its score and "
        "its latent state stand behind the factors of every instrument; the trained artifact carries a copy. Empty: "
        "none.",
    )
    detector_hash: str = Field(
        "",
        description="SHA-256 of the detector's card. A run writes it down, so that another detector in the same folder "
        "is noticed; nothing needs to be said here.",
    )
    pattern_networks: PatternNetworksConfig = Field(
        PatternNetworksConfig(), description="Networks of chart and candle patterns whose answers stand beside."
    )
    book_rows: RowsConfig = Field(
        RowsConfig(), description="How factors of walls and spoofing read the order book between the closes."
    )
    book_network: NetworkConfig = Field(
        NetworkConfig(), description="The network of order books behind the factors of the set `book_network`."
    )

    @field_validator("periods")
    @classmethod
    def _must_rise_from_one(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if value[:1] != (1,) or list(value) != sorted(set(value)):
            raise ValueError("periods must rise from 1, such as [1, 4, 16]")
        return value

    @model_validator(mode="after")
    def _longer_candles_are_no_days(self) -> Config:
        if self.period > 1 and self.day.hours:
            raise ValueError("period and day.hours do not go together: windows of whole days end with a day")
        if self.period > 1 and not self.names and (self.companions or len(self.periods) > 1 or self.detector):
            raise ValueError("companions, periods and detector stand beside factors: name some under names")
        if self.pattern_networks.folders and not self.names:
            raise ValueError("pattern_networks stand beside factors: name some under names")
        return self

    @property
    def readers(self) -> tuple[AbstractRowReader, ...]:
        """Who reads the rows of order books for the factors; see `readers_of`."""
        return readers_of(self.names, self.book_rows, self.book_network)

    @property
    def makes_rows(self) -> bool:
        """Whether the network reads anything but the candles themselves."""
        return bool(self.names) or self.period > 1


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowRows:
    """Rows as windows are cut from them.

    Attributes:
        values: float32 of shape (n_rows, columns): a row a candle, a row a longer candle, or a row a place on days of
            equal length.
        ends: int64 of shape (n_candles,): last row of the window that ends at the close of each candle; -1 where none
            does.
        step: rows from the end of a window to that of the next; 0 where several candles share a window.
        needed: columns without which a row is unknown, int64 of shape (k,); None: all.
    """

    values: NDArray[np.float32]
    ends: NDArray[np.int64]
    step: int
    needed: NDArray[np.int64] | None = None

    def known(self, length: int) -> NDArray[np.bool_]:
        """At which candles a window of `length` rows without an unknown value ends, shape (n_candles,)."""
        needed = self.values if self.needed is None else self.values[:, self.needed]
        return (self.ends >= 0) & known_windows(needed, length)[self.ends]

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
        return self.ends // self.step if self.step else np.arange(len(self.ends))


def reach_of(length: int, period: int) -> int:
    """Candles from the first in a window of `length` rows, each `period` candles, to the last at which it is read."""
    return period * (length + 1) - 1


class FactorRows:
    """Makes the rows, one a candle.

    The columns of the instrument come first, then those of each companion; then the same for each longer timeframe.
    With `reads`, the columns of an encoding, they stand where it draws them, beside fields of candles and the levels of
    the instrument's order book.

    Raises RecipeError for unknown factors and patterns, ArtifactError for a detector or a network of patterns that is
    missing, damaged or of another kind.

    Attributes:
        columns: names of an instrument's own columns, of one timeframe.
        has_factors: whether these are factors, and not the fields of a candle.
        warm_up: rows before the first one that is known.
        companions: symbols of the companions.
        periods: candles in one of each timeframe.
        period: candles in a row.
        day: the venue's trading day; without hours, windows end at every candle.
        levels: levels a side of order book that are read; 0: none.
    """

    def __init__(self, config: Config, reads: Sequence[str] = ()) -> None:
        self._pipeline = features.FeaturePipeline(config, _fitted_factors(config)) if config.names else None
        self.columns = CANDLE_FIELDS if self._pipeline is None else self._pipeline.columns
        self.has_factors = self._pipeline is not None
        self.companions = config.companions
        self.periods = config.periods
        self.period = config.period
        self.day = config.day
        self._drawn = Columns(reads)
        self.levels = max(self._drawn.levels, 0 if self._pipeline is None else self._pipeline.levels)
        if self.levels and self.day.hours:
            raise no_whole_days()
        # A longer candle at the start of the history may lack members, and one at its end may not have closed.
        longest = max(config.periods)
        settled = 0 if self._pipeline is None else self._pipeline.warm_up
        self.warm_up = settled if longest == 1 else longest * (settled + 2)

    def beside(self, symbol: str) -> tuple[str, ...]:
        """The companions of an instrument: all but itself."""
        return tuple(other for other in self.companions if other != symbol)

    def candles(self, length: int) -> int:
        """Candles that a window of `length` rows needs: those that settle its factors, itself, and with longer candles
        one that lacks members at the start of the history and one that has not closed at its end.
        """
        rows = self.warm_up + length
        return rows if self.period == 1 else self.period * (rows + 2) - 1

    def look_back(self, length: int) -> int:
        """Candles before those that a window of `length` rows needs; they need not be there.

        They tell nights from outages, and a companion has more where it trades while the instrument's market is closed.
        """
        longer = max(self.periods) * self.period
        if longer == 1 and not self.companions:
            return 0
        return LOOK_BACK + OLDEST * longer + (closed_beside(self.candles(length)) if self.companions else 0)

    def reach(self, length: int) -> int:
        """Candles from the first in a window of `length` rows to the last at whose close it may be read."""
        return reach_of(length, self.period)

    def rows(
        self,
        series: CandleSeries,
        companions: Mapping[str, CandleSeries] = NOBODY,
        past_ms: NDArray[np.int64] = NO_PAST,
    ) -> NDArray[np.float32]:
        """Rows as they are known at the close of every candle of a history.

        Args:
            series: candles of the instrument.
            companions: candles of every companion by symbol, of the same timeframe; more than those of this instrument
                may be there.
            past_ms: open times of candles of the instrument before the history, up to `look_back` of them, by which
                its first nights are told from outages.

        Returns:
            float32 of shape (n_candles, columns * instruments * timeframes). NaN where a value is not known yet, or
            where the last closed candle of a companion or of a longer timeframe is more than 16 of its candles old. Of
            a longer timeframe, time in which the instrument's market was closed is no age.

        Raises DataError when a companion is missing or of another timeframe, NotEnoughData when no row would be known.
        """
        table = self.table(series, companions, past_ms) if self.period > 1 else None
        if table is None:
            return self._rows(series, companions, past_ms)
        found = table.values[np.maximum(table.ends, 0)]
        found[table.ends < 0] = np.nan
        return found

    def _rows(
        self, series: CandleSeries, companions: Mapping[str, CandleSeries], past_ms: NDArray[np.int64] = NO_PAST
    ) -> NDArray[np.float32]:
        if not self._drawn.are_mixed:
            return self._factors(series, companions, past_ms)
        nothing = np.empty((len(series), 0), dtype=np.float32)
        factors = nothing if self._pipeline is None else self._factors(series, companions, past_ms)
        return self._drawn.rows(series, factors)

    @property
    def _needed(self) -> NDArray[np.int64] | None:
        return self._drawn.needed if self._drawn.are_mixed else None

    def _factors(
        self, series: CandleSeries, companions: Mapping[str, CandleSeries], past_ms: NDArray[np.int64]
    ) -> NDArray[np.float32]:
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
        beside = [(other, last_closed(other, series)) for other in all_series[1:]]
        parts = [self._own(series), *(_as_of(self._own(other), last) for other, last in beside)]
        for period in self.periods[1:]:
            timeframe = Timeframe(period * series.timeframe.milliseconds)
            # The close that asks decides what is over: nobody else tells where a session ends within a longer candle.
            longer = [resample(one, timeframe, until_ms=_last_close(series)) for one in all_series]
            ends = (last_closed(one, series, past_ms, memory=LOOK_BACK // self.period) for one in longer)
            parts += [_as_of(self._own(one), last) for one, last in zip(longer, ends, strict=True)]
        return np.concatenate(parts, axis=1)

    def table(
        self,
        series: CandleSeries,
        companions: Mapping[str, CandleSeries] = NOBODY,
        past_ms: NDArray[np.int64] = NO_PAST,
    ) -> WindowRows:
        """The rows as windows are cut from them; arguments and errors as for `rows`.

        With a trading day they are laid out by the clock: windows hold whole days, short ones with places left empty,
        and end where a day closes. What a window holds depends on the candles up to its end, and on no more of them
        than fill its days.
        """
        if self.period > 1:
            return self._of_longer(series, companions, past_ms)
        rows = self._rows(series, companions, past_ms)
        if not self.day.hours:
            return WindowRows(values=rows, ends=np.arange(len(rows)), step=1, needed=self._needed)
        found = days.places(series.open_time_ms, series.timeframe.milliseconds, self.day)
        return WindowRows(values=found.lay(rows), ends=np.where(found.closes, found.at, -1), step=found.per_day)

    def _of_longer(
        self, series: CandleSeries, companions: Mapping[str, CandleSeries], past_ms: NDArray[np.int64]
    ) -> WindowRows:
        """Rows of the longer candles, and at each candle the last of them that had closed, if it is not too old."""
        timeframe = Timeframe(self.period * series.timeframe.milliseconds)
        longer, until_ms = resample(series, timeframe), _last_close(series)
        others = {
            name: resample(one, timeframe, until_ms=until_ms)
            for name, one in companions.items()
            if name in self.companions
        }
        before_ms = np.unique(floor_times(past_ms, timeframe))
        rows = self._rows(
            longer, others, before_ms[: np.searchsorted(before_ms, longer.open_time_ms[0])] if len(longer) else NO_PAST
        )
        if len(longer) and series.open_time_ms[0] > longer.open_time_ms[0]:
            rows[0] = np.nan  # the history begins within this candle
        return WindowRows(values=rows, ends=last_closed(longer, series, past_ms), step=0, needed=self._needed)

    def ends_window(self, series: CandleSeries) -> bool:
        """Whether a window ends with the last candle, by the clock alone."""
        if not self.day.hours:
            return True
        last = series.open_time_ms[-1:]
        return bool(days.places(last, series.timeframe.milliseconds, self.day).closes[0])

    def _own(self, series: CandleSeries) -> NDArray[np.float32]:
        if self._pipeline is None:
            return series.values.astype(np.float32)
        rows = self._pipeline.rows(
            series.values, series.open_time_ms, series.timeframe.milliseconds, series.books, series.notes
        )
        return rows.astype(np.float32)


def _fitted_factors(config: Config) -> tuple[features.Factor, ...]:
    """The factors that saved models make: networks of patterns, and a detector."""
    return (*_of_detector(config.detector, config.detector_hash), *pattern_factors(config.pattern_networks))


def _of_detector(folder: str | None, card_hash: str) -> tuple[features.Factor, ...]:
    """The factors of a saved detector. Raises ArtifactError where it is missing, of other channels, or another one."""
    if folder is None:
        return ()
    from triptych.inference.anomaly.factors import detector_factors  # takes a while to load
    from triptych.inference.anomaly.saving import load_detector, require_card

    require_card(Path(folder), card_hash)
    return detector_factors(load_detector(Path(folder)))


def known_windows(rows: NDArray[np.floating], length: int) -> NDArray[np.bool_]:
    """Which rows end a window of `length` rows without an unknown value, shape (n_rows,)."""
    unknown = np.concatenate(([0], np.cumsum(np.isnan(rows).any(axis=1))))
    known = np.zeros(len(rows), dtype=bool)
    known[length - 1 :] = unknown[length:] == unknown[: len(unknown) - length]
    return known


def _last_close(series: CandleSeries) -> int | None:
    """The last close of a history, UTC milliseconds; None of an empty one."""
    return int(series.close_time_ms[-1]) if len(series) else None


def _as_of(rows: NDArray[np.float32], last: NDArray[np.int64]) -> NDArray[np.float32]:
    """Rows of another instrument, or of a longer timeframe, as they were known where `last` was the last; else NaN."""
    found = rows[np.maximum(last, 0)]
    found[last < 0] = np.nan
    return found


def last_closed(
    other: CandleSeries,
    series: CandleSeries,
    past_ms: NDArray[np.int64] | None = None,
    *,
    memory: int | None = None,
) -> NDArray[np.int64]:
    """The last candle of `other` that had closed at each close of `series`; -1 where it is more than OLDEST old.

    With `past_ms`, the open times of candles before `series`, time in which the market of `series` was closed is no
    age, told by `memory` candles before (see `closed_times`); without, the clock alone tells.
    """
    if len(other) == 0:
        return np.full(len(series), -1)
    last = np.searchsorted(other.close_time_ms, series.close_time_ms, side="right") - 1
    since_ms = other.close_time_ms[np.maximum(last, 0)]
    is_old = series.close_time_ms - since_ms > OLDEST * other.timeframe.milliseconds
    if past_ms is not None and is_old.any():
        ages = ages_ms(series, np.minimum(since_ms, series.close_time_ms), past_ms, memory=memory)
        is_old &= ages > OLDEST * other.timeframe.milliseconds
    last[is_old] = -1
    return last
