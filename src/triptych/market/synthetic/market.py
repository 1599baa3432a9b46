"""The embedded synthetic market: several instruments from one seed. Its equations stand in docs/synthetic-market.md."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, field_validator

from triptych.domain import BookSnapshot, CandleSeries, Timeframe
from triptych.domain import Config as BaseConfig
from triptych.domain.errors import DataError
from triptych.market.synthetic import jumps, season
from triptych.market.synthetic.book import BookLevels, draw_levels
from triptych.market.synthetic.book import Config as BookConfig
from triptych.market.synthetic.history import History, Market, Parts, draw_history
from triptych.market.synthetic.intrabar import Config as IntrabarConfig
from triptych.market.synthetic.jumps import Config as JumpsConfig
from triptych.market.synthetic.names import NAMES, profile
from triptych.market.synthetic.pressure import Config as PressureConfig
from triptych.market.synthetic.season import Config as SeasonConfig
from triptych.market.synthetic.streams import normals, stream
from triptych.market.synthetic.volatility import Config as VolatilityConfig
from triptych.market.synthetic.volatility import market_volatility, typical_volatility
from triptych.market.synthetic.volume import Config as VolumeConfig


def _a_timeframe(text: str) -> str:
    try:
        return str(Timeframe.parse(text))
    except DataError as error:
        raise ValueError(str(error)) from error  # pydantic then names the key


def _in_utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


class Config(BaseConfig):
    """What market to invent. The same Config gives the same candles."""

    seed: int = Field(default=1, ge=0, description="Seed of everything random in the market.")
    signal: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="How far the visible structure predicts returns: 0 not at all (the price is a martingale), 1 "
        "fully. The charts show the same structure at any value.",
    )
    n_candles: int = Field(
        default=20_000,
        ge=1,
        le=5_000_000,
        description="Candles of each instrument; more of them leave the first ones as they were.",
    )
    timeframe: Annotated[str, AfterValidator(_a_timeframe)] = Field(
        default="15m", description="Length of a candle, such as 5m, 15m or 1h."
    )
    start: Annotated[datetime, AfterValidator(_in_utc)] = Field(
        default=datetime(2024, 1, 1, tzinfo=UTC),
        description="Open time of the first candle (UTC), moved back to the timeframe's grid.",
    )
    instruments: Annotated[int, Field(ge=1, le=len(NAMES))] | Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        default=4,
        description="How many instruments, or their symbols. A symbol keeps its history whatever others stand beside "
        "it.",
    )
    volatility: VolatilityConfig = Field(
        default_factory=VolatilityConfig, description="Level, regimes and persistence of volatility."
    )
    jumps: JumpsConfig = Field(default_factory=JumpsConfig, description="Sudden moves.")
    season: SeasonConfig = Field(default_factory=SeasonConfig, description="Hours of the day and the weekend.")
    pressure: PressureConfig = Field(default_factory=PressureConfig, description="The planted structure.")
    intrabar: IntrabarConfig = Field(default_factory=IntrabarConfig, description="The path inside a candle.")
    volume: VolumeConfig = Field(default_factory=VolumeConfig, description="Traded volume.")
    book: BookConfig = Field(default_factory=BookConfig, description="The order book.")

    @field_validator("instruments")
    @classmethod
    def _symbols_are_distinct(cls, value: int | tuple[str, ...]) -> int | tuple[str, ...]:
        if not isinstance(value, int) and (len(set(value)) < len(value) or not all(name.strip() for name in value)):
            raise ValueError(f"symbols must be distinct and not empty, was {list(value)}")
        return value

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the instruments, in order."""
        return NAMES[: self.instruments] if isinstance(self.instruments, int) else self.instruments


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticMarket:
    """An invented market and the truth behind it.

    The truth (`regimes`, `pressure`, `acting_pressure`, `volatility`, `n_jumps`) is for tests and studies only: it
    holds what no trader could know. Nothing that decides or trains may read it.

    Attributes:
        config: what it was made from.
        series: candles, one entry for each instrument in the order of `config.symbols`.
        regimes: int8 array of shape (n_candles,): 0 calm, 1 volatile, 2 crisis.
        pressure: int8 array of shape (n_instruments, n_candles), the state that shapes each candle: -1, 0 or 1.
        acting_pressure: the same shape, the state that pushes each candle's return (times `config.signal`).
        volatility: float64 array of the same shape: standard deviation of each candle's continuous log return.
        n_jumps: int64 array of the same shape: jumps in each candle, the market's and the instrument's own.
    """

    config: Config
    series: tuple[CandleSeries, ...]
    regimes: NDArray[np.int8]
    pressure: NDArray[np.int8]
    acting_pressure: NDArray[np.int8]
    volatility: NDArray[np.float64]
    n_jumps: NDArray[np.int64]
    _histories: tuple[History, ...]

    def __getitem__(self, symbol: str) -> CandleSeries:
        return self.series[self._position(symbol)]

    def book(self, symbol: str, index: int) -> BookSnapshot:
        """The order book at the close of candle `index`: the same one whenever it is asked for."""
        return self.book_levels(symbol, index, index + 1).snapshot(0)

    def book_levels(self, symbol: str, start: int = 0, stop: int | None = None) -> BookLevels:
        """Order books at the closes of candles start .. stop - 1 (to the end by default), as arrays.

        Raises DataError when there is no such instrument or candle.
        """
        position = self._position(symbol)
        n = len(self.series[position])
        stop = n if stop is None else stop
        if not 0 <= start < stop <= n:
            raise DataError(
                f"{symbol}: there are no candles {start} to {stop - 1} in a market of {n} candles.",
                remedy=f"Ask for positions from 0 to {n - 1}.",
            )
        timeframe = Timeframe.parse(self.config.timeframe)
        return draw_levels(
            self.config.book, self.config.seed, self._histories[position],
            tilt=self.config.pressure.book_tilt,
            typical_volatility=typical_volatility(self.config.volatility, timeframe),
            start=start, stop=stop,
        )  # fmt: skip

    def _position(self, symbol: str) -> int:
        try:
            return self.config.symbols.index(symbol)
        except ValueError:
            raise DataError(
                f"There is no instrument {symbol!r} in this synthetic market.",
                remedy=f"Known are {', '.join(self.config.symbols)}.",
            ) from None


def synthesise(config: Config) -> SyntheticMarket:
    """Invent a market. Raises DataError when a price leaves its grid (extreme volatility over a very long history)."""
    timeframe = Timeframe.parse(config.timeframe)
    first = timeframe.floor(int(config.start.timestamp() * 1000))
    open_time_ms = first + timeframe.milliseconds * np.arange(config.n_candles, dtype=np.int64)
    shared = _draw_market(config, timeframe, open_time_ms)
    parts = Parts(
        volatility=config.volatility, jumps=config.jumps, pressure=config.pressure,
        intrabar=config.intrabar, volume=config.volume,
    )  # fmt: skip
    histories = tuple(
        draw_history(parts, config.seed, config.signal, profile(symbol), shared) for symbol in config.symbols
    )
    return SyntheticMarket(
        config=config,
        series=tuple(history.series for history in histories),
        regimes=shared.volatility.regimes,
        pressure=np.stack([history.pressure.visible for history in histories]),
        acting_pressure=np.stack([history.pressure.acting for history in histories]),
        volatility=np.stack([history.volatility for history in histories]),
        n_jumps=np.stack([history.n_jumps for history in histories]),
        _histories=histories,
    )


def _draw_market(config: Config, timeframe: Timeframe, open_time_ms: NDArray[np.int64]) -> Market:
    hours = season.log_season(
        open_time_ms, timeframe,
        amplitude=config.season.volatility_amplitude, weekend=config.season.weekend_volatility,
    )  # fmt: skip
    shared = market_volatility(config.volatility, config.seed, timeframe, hours)
    rate = jumps.rates(config.jumps, shared.regimes, config.jumps.common_rate)
    jump, n_jumps = jumps.jump_sizes(config.jumps, config.seed, rate)
    return Market(
        open_time_ms=open_time_ms,
        timeframe=timeframe,
        volatility=shared,
        factor=normals(stream(config.seed, "factor"), config.n_candles),
        jump=jump,
        n_jumps=n_jumps,
        jump_rate=rate,
        own_jump_rate=jumps.rates(config.jumps, shared.regimes, config.jumps.own_rate),
        volume_season=season.log_season(
            open_time_ms, timeframe,
            amplitude=config.season.volume_amplitude, weekend=config.season.weekend_volume,
        ),
    )  # fmt: skip
