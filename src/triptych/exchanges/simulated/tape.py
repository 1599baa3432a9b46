"""A tape of recorded candles as a source that plays them, at any speed, with a clock that follows."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence

from triptych.domain import Candle, CandleSeries, ManualClock, StreamState
from triptych.domain.errors import ExchangeError
from triptych.exchanges.gateway import AbstractCandleSource


class TapeSource(AbstractCandleSource):
    """Plays histories of one timeframe from a moment on; what closed before is history.

    Attributes:
        clock: stands at the close of the candle that was played last.
    """

    def __init__(self, series: Sequence[CandleSeries], *, start_ms: int, speed: float = 0.0) -> None:
        """Play what closes after `start_ms`, UTC ms.

        Args:
            series: one history an instrument.
            start_ms: where the clock stands at first.
            speed: market time by real time: 60 plays an hour in a minute; 0 does not wait at all.
        """
        self._series = {one.symbol: one for one in series}
        self._speed = speed
        self._told_ms = -1
        self.clock = ManualClock(start_ms)

    @property
    def told_ms(self) -> int:
        return self._told_ms

    async def history(self, symbol: str, start_ms: int, end_ms: int) -> Sequence[Candle]:
        series = self._series.get(symbol)
        if series is None:
            raise ExchangeError(
                f"The tape holds no candles of {symbol}.", remedy=f"It holds {', '.join(self._series)}."
            )
        now = self.clock.now_ms()
        opens, closes = series.open_time_ms, series.close_time_ms
        rows = ((opens >= start_ms) & (opens < end_ms) & (closes <= now)).nonzero()[0]
        return [series.candle(int(row)) for row in rows]

    async def stream(self) -> AsyncIterator[Candle | StreamState]:
        started = self.clock.now_ms()
        coming = sorted(
            (int(close), symbol, row)
            for symbol, series in self._series.items()
            for row, close in enumerate(series.close_time_ms)
            if close > started
        )
        yield StreamState(is_up=True, time_ms=started)
        for close_ms, of_a_close in itertools.groupby(coming, key=lambda one: one[0]):
            now = self.clock.now_ms()
            if close_ms > now:
                await asyncio.sleep((close_ms - now) / 1000 / self._speed if self._speed else 0)
                self.clock.set(close_ms)
            *others, last = (self._series[symbol].candle(row) for _, symbol, row in of_a_close)
            for candle in others:
                yield candle
            self._told_ms = close_ms
            yield last
