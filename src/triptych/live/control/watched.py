"""Candles of a session for those who look at it: whatever its source has said, kept for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from triptych.domain import Candle, StreamState
from triptych.exchanges.gateway import AbstractCandleSource

KEPT: Final = 3_000
"""Candles of each instrument: two days of minutes."""

Row = tuple[int, float, float, float, float, float]


class Watched(AbstractCandleSource):
    """Passes candles on and remembers the newest of them."""

    def __init__(self, inner: AbstractCandleSource, *, kept: int = KEPT) -> None:
        """Remember the last `kept` candles of each instrument that `inner` brings."""
        self._inner, self._kept = inner, kept
        self._rows: dict[str, dict[int, Row]] = {}

    @property
    def told_ms(self) -> int:
        return self._inner.told_ms

    async def history(self, symbol: str, start_ms: int, end_ms: int) -> Sequence[Candle]:
        found = await self._inner.history(symbol, start_ms, end_ms)
        for candle in found:
            self._keep(candle)
        return found

    async def stream(self) -> AsyncIterator[Candle | StreamState]:
        async for item in self._inner.stream():
            if isinstance(item, Candle):
                self._keep(item)
            yield item

    def rows(self, symbol: str, *, from_ms: int = 0) -> list[Row]:
        """Candles that open at `from_ms` or later, oldest first: open time (UTC ms), open, high, low, close, volume."""
        return sorted(row for time_ms, row in self._rows.get(symbol, {}).items() if time_ms >= from_ms)

    def _keep(self, candle: Candle) -> None:
        rows = self._rows.setdefault(candle.symbol, {})
        rows[candle.open_time_ms] = (
            candle.open_time_ms, candle.open, candle.high, candle.low, candle.close, candle.volume
        )  # fmt: skip
        if len(rows) > self._kept * 5 // 4:  # now and then, not candle by candle
            for time_ms in sorted(rows)[: -self._kept]:
                del rows[time_ms]
