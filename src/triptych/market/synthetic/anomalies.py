"""Labelled anomalies planted into the embedded market, and news bursts that are none.

Each event changes the returns, the wicks or the volume of some candles; prices before it stay as they were. Strengths
are in multiples of the instrument's own deviation, so that an event is as hard to see in a calm market as in a wild
one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import CandleSeries
from triptych.domain import Config as BaseConfig
from triptych.domain.errors import NotEnoughData
from triptych.market.synthetic.market import SyntheticMarket
from triptych.market.synthetic.streams import stream

NEWS: Final = "news_burst"
"""Moves all instruments and their volume together for a few candles. It is planted, and it is not an anomaly."""


class Config(BaseConfig):
    """What to plant."""

    seed: int = Field(1, description="Seed of places, lengths and instruments of the events.", ge=0)
    each: int = Field(6, description="Events of each kind.", ge=0, le=1000)
    clean: float = Field(0.5, description="Share of the history at its start that is left as it is.", ge=0, lt=1)
    margin: int = Field(48, description="Least number of candles between two events.", ge=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class AnomalyEvent:
    """Candles `start` .. `stop` - 1 of `symbol` (of all instruments when it is empty)."""

    kind: str
    symbol: str
    start: int
    stop: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledMarket:
    """A market with planted events.

    Attributes:
        series: candles, one entry an instrument.
        labels: int8 (n_candles,): 1 where an anomaly lies in any instrument; news bursts are 0.
        events: all events in time order, news bursts included.
        first: first candle that may be changed.
    """

    series: tuple[CandleSeries, ...]
    labels: NDArray[np.int8]
    events: tuple[AnomalyEvent, ...]
    first: int


@dataclass(slots=True)
class _Candles:
    """Candles of one instrument as returns, wicks and volume, to be changed in place; deviation is that of returns."""

    log_return: NDArray[np.float64]
    upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    volume: NDArray[np.float64]
    deviation: NDArray[np.float64]


_Change = Callable[[_Candles, slice, np.random.Generator], None]


def _flash_crash(c: _Candles, at: slice, generator: np.random.Generator) -> None:
    size = 10.0 * c.deviation[at.start]
    n = at.stop - at.start
    c.log_return[at.start : at.start + 2] -= size / 2
    c.log_return[at.start + 2 : at.stop] += 0.9 * size / (n - 2)
    c.volume[at] *= 4.0


def _pump_and_dump(c: _Candles, at: slice, generator: np.random.Generator) -> None:
    n = at.stop - at.start
    rise = 3 * n // 4
    c.log_return[at.start : at.start + rise] += 1.2 * c.deviation[at.start]
    c.log_return[at.start + rise : at.stop] -= 1.2 * c.deviation[at.start] * rise / (n - rise)
    c.volume[at] *= 3.0


def _bad_tick(c: _Candles, at: slice, generator: np.random.Generator) -> None:
    wick = c.upper if generator.random() < 0.5 else c.lower
    wick[at] += 20.0 * c.deviation[at]


def _wash_volume(c: _Candles, at: slice, generator: np.random.Generator) -> None:
    c.volume[at] *= 5.0
    for part in (c.log_return, c.upper, c.lower):
        part[at] *= 0.5


def _decoupling(c: _Candles, at: slice, generator: np.random.Generator) -> None:
    # Its own returns of another time: nothing about the instrument alone is unusual.
    n = at.stop - at.start
    before = int(generator.integers(0, max(at.start - 2 * n, 1)))
    ratio = c.deviation[at] / c.deviation[before : before + n]
    c.log_return[at] = c.log_return[before : before + n] * ratio


def _stale_feed(c: _Candles, at: slice, generator: np.random.Generator) -> None:
    c.log_return[at] = c.upper[at] = c.lower[at] = 0.0
    c.volume[at] = c.volume[at.start - 1]


def _volatility_regime(c: _Candles, at: slice, generator: np.random.Generator) -> None:
    for part in (c.log_return, c.upper, c.lower):
        part[at] *= 3.0


def _periodic_algorithm(c: _Candles, at: slice, generator: np.random.Generator) -> None:
    time = np.arange(at.stop - at.start)
    c.log_return[at] += 1.5 * c.deviation[at] * np.sin(2 * np.pi * time / 4)
    c.volume[at] *= np.where(time % 4 == 0, 2.5, 1.0)


def _news_burst(c: _Candles, at: slice, generator: np.random.Generator) -> None:
    for part in (c.log_return, c.upper, c.lower):
        part[at] *= 2.0
    c.volume[at] *= 2.5


_KINDS: Final[dict[str, tuple[_Change, int, int, bool]]] = {
    "flash_crash": (_flash_crash, 5, 8, False),
    "pump_and_dump": (_pump_and_dump, 12, 20, False),
    "bad_tick": (_bad_tick, 1, 1, False),
    "wash_volume": (_wash_volume, 16, 24, False),
    "decoupling": (_decoupling, 40, 64, False),
    "stale_feed": (_stale_feed, 16, 32, False),
    "volatility_regime": (_volatility_regime, 30, 48, True),
    "periodic_algorithm": (_periodic_algorithm, 40, 64, False),
    NEWS: (_news_burst, 3, 6, True),
}
KINDS: Final = tuple(_KINDS)
"""Kinds of events; all but the last are anomalies."""


def plant_anomalies(market: SyntheticMarket, config: Config | None = None) -> LabelledMarket:
    """Plant events of every kind. The same market and Config give the same candles.

    Raises NotEnoughData when the history has no room for them.
    """
    config = config or Config()
    n = len(market.series[0])
    first = int(n * config.clean)
    generator = stream(config.seed, "anomalies")
    kinds = generator.permutation(np.repeat(np.arange(len(KINDS)), config.each))
    longest = max(longest for _, _, longest, _ in _KINDS.values())
    slot = (n - first) // max(len(kinds), 1)
    if slot < longest + config.margin:
        raise NotEnoughData(
            f"{n - first} candles have no room for {len(kinds)} events of up to {longest} candles, "
            f"{config.margin} apart.",
            remedy=f"Ask for at least {len(kinds) * (longest + config.margin)} candles behind the clean start.",
        )
    parts = [_taken_apart(one, sigma) for one, sigma in zip(market.series, market.volatility, strict=True)]
    labels = np.zeros(n, dtype=np.int8)
    events = []
    for i, code in enumerate(kinds.tolist()):
        change, shortest, longest_of_kind, everywhere = _KINDS[KINDS[code]]
        length = int(generator.integers(shortest, longest_of_kind + 1))
        begin = first + i * slot
        start = begin + config.margin // 2 + int(generator.integers(0, slot - length - config.margin + 1))
        which = int(generator.integers(0, len(parts)))
        for part in parts if everywhere else [parts[which]]:
            change(part, slice(start, start + length), generator)
        symbol = "" if everywhere else market.series[which].symbol
        events.append(AnomalyEvent(kind=KINDS[code], symbol=symbol, start=start, stop=start + length))
        if KINDS[code] != NEWS:
            labels[start : start + length] = 1
    series = tuple(_put_together(one, part, first) for one, part in zip(market.series, parts, strict=True))
    return LabelledMarket(series=series, labels=labels, events=tuple(events), first=first)


def _taken_apart(series: CandleSeries, deviation: NDArray[np.float64]) -> _Candles:
    logs = np.log(series.values[:, :4])
    body_top, body_bottom = np.maximum(logs[:, 0], logs[:, 3]), np.minimum(logs[:, 0], logs[:, 3])
    return _Candles(
        log_return=logs[:, 3] - logs[:, 0],
        upper=logs[:, 1] - body_top,
        lower=body_bottom - logs[:, 2],
        volume=series.values[:, 4].copy(),
        deviation=deviation,
    )


def _put_together(series: CandleSeries, part: _Candles, first: int) -> CandleSeries:
    """Candles on the price grid; those before `first` are the old ones to the last bit."""
    step = float(series.instrument.price_step)
    log_close = np.log(series.values[0, 0]) + np.cumsum(part.log_return)
    close = np.maximum(np.rint(np.exp(log_close) / step), 1.0)
    open_ = np.concatenate(([np.rint(series.values[0, 0] / step)], close[:-1]))
    top, bottom = np.maximum(open_, close), np.minimum(open_, close)
    high = np.maximum(np.rint(top * np.exp(part.upper)), top)
    low = np.maximum(np.minimum(np.rint(bottom * np.exp(-part.lower)), bottom), 1.0)
    values = np.column_stack([open_ * step, high * step, low * step, close * step, part.volume])
    values[:first] = series.values[:first]
    return CandleSeries(
        instrument=series.instrument, timeframe=series.timeframe, open_time_ms=series.open_time_ms, values=values
    )
