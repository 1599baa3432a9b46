"""The tape behind the server: candles that are known so far, in every timeframe that can be made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from triptych.domain import Candle, CandleSeries, Instrument, Timeframe
from triptych.domain.errors import DataError
from triptych.exchanges.bybit.words import INTERVALS


class Tape:
    """Candles of several instruments of one timeframe, told step by step.

    Args:
        series: one per instrument.
        known: how many close times have passed when the server starts: the history that clients can ask for.

    Raises DataError for series of different timeframes, one that Bybit does not have, or no candle to tell.
    """

    def __init__(self, series: Sequence[CandleSeries], known: int) -> None:
        timeframes = {one.timeframe for one in series}
        if len(timeframes) != 1 or not timeframes <= set(INTERVALS):
            raise DataError(
                f"The tape has candles of {', '.join(sorted(str(one) for one in timeframes)) or 'nothing'}.",
                remedy=f"Give one timeframe of {', '.join(str(one) for one in INTERVALS)}.",
            )
        self.timeframe: Timeframe = timeframes.pop()
        self._series = {one.symbol: one for one in series}
        times = np.unique(np.concatenate([one.close_time_ms for one in series]))
        if not 1 <= known <= len(times):
            raise DataError(
                f"The tape has {len(times)} close times, {known} cannot be known at the start.",
                remedy="Bring more candles, or let fewer be known.",
            )
        self._times: NDArray[np.int64] = times
        self._next = known

    @property
    def instruments(self) -> list[Instrument]:
        """What the tape is of."""
        return [one.instrument for one in self._series.values()]

    @property
    def now_ms(self) -> int:
        """The time of the market: the last close that has passed."""
        return int(self._times[self._next - 1])

    @property
    def first_ms(self) -> int:
        """When the first candle opens."""
        return min(int(one.open_time_ms[0]) for one in self._series.values())

    @property
    def remaining(self) -> int:
        """Steps that are left."""
        return len(self._times) - self._next

    def start(self) -> list[list[Candle]]:
        """The candles known at the start, those that close together in one list."""
        return [self._closing(int(time)) for time in self._times[: self._next]]

    def step(self) -> list[Candle]:
        """Let the next candles close. Raises DataError at the end of the tape."""
        if not self.remaining:
            raise DataError("The tape is at its end.", remedy="Start the server anew with more candles.")
        self._next += 1
        return self._closing(self.now_ms)

    def candles(
        self, symbol: str, timeframe: Timeframe, start_ms: int | None, end_ms: int | None, limit: int
    ) -> list[Candle]:
        """The newest `limit` closed candles that open in [start_ms, end_ms], newest first; coarser ones are made."""
        step = timeframe.milliseconds
        if step % self.timeframe.milliseconds:
            return []
        last = timeframe.floor(self.now_ms) - step
        newest = last if end_ms is None else min(last, timeframe.floor(end_ms))
        found: list[Candle] = []
        first_ms = int(self._series[symbol].open_time_ms[0])
        while newest >= max(first_ms - step + 1, -(2**62) if start_ms is None else start_ms) and len(found) < limit:
            candle = self._made(symbol, timeframe, newest)
            if candle is not None:
                found.append(candle)
            newest -= step
        return found

    def closed_with(self, symbol: str, timeframe: Timeframe) -> Candle | None:
        """The candle of a coarser timeframe that closed just now, None when none did."""
        if self.now_ms != timeframe.floor(self.now_ms):
            return None
        return self._made(symbol, timeframe, self.now_ms - timeframe.milliseconds)

    def _made(self, symbol: str, timeframe: Timeframe, open_ms: int) -> Candle | None:
        series = self._series[symbol]
        a, b = np.searchsorted(series.open_time_ms, (open_ms, open_ms + timeframe.milliseconds))
        if a == b:
            return None
        if timeframe == self.timeframe:
            return series.candle(int(a))
        rows = series.values[a:b]
        return Candle(
            symbol=symbol, timeframe=timeframe, open_time_ms=open_ms, open=float(rows[0, 0]),
            high=float(rows[:, 1].max()), low=float(rows[:, 2].min()), close=float(rows[-1, 3]),
            volume=float(rows[:, 4].sum()),
        )  # fmt: skip

    def _closing(self, time_ms: int) -> list[Candle]:
        found = []
        for one in self._series.values():
            at = int(np.searchsorted(one.close_time_ms, time_ms))
            if at < len(one) and one.close_time_ms[at] == time_ms:
                found.append(one.candle(at))
        return found
