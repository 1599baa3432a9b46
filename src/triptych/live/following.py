"""A market clock that follows the candles: for venues whose market lives at another time than ours, like a replay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from triptych.domain import Candle, ManualClock, StreamState
from triptych.exchanges.gateway import AbstractCandleSource


class Following(AbstractCandleSource):
    """Passes candles on and sets a clock by them.

    Attributes:
        clock: stands at the close of the newest candle that was passed on.
    """

    def __init__(self, inner: AbstractCandleSource, now_ms: int) -> None:
        """Follow `inner` from `now_ms` on, UTC ms of the market."""
        self.clock = ManualClock(now_ms)
        self._inner = inner

    @property
    def told_ms(self) -> int:
        return self._inner.told_ms

    async def history(self, symbol: str, start_ms: int, end_ms: int) -> Sequence[Candle]:
        return await self._inner.history(symbol, start_ms, end_ms)

    async def stream(self) -> AsyncIterator[Candle | StreamState]:
        async for item in self._inner.stream():
            if isinstance(item, Candle):
                self.clock.set(max(self.clock.now_ms(), item.close_time_ms))
            yield item
