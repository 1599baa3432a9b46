"""Closed candles of Bybit for the live feed: history by question, the newest as they close."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from triptych.domain import Candle, CandleUpdate, StreamState, Timeframe
from triptych.exchanges.bybit.market_client import MarketClient
from triptych.exchanges.bybit.market_messages import PublicMessage
from triptych.exchanges.bybit.stream import Stream
from triptych.exchanges.gateway import AbstractCandleSource


class BybitCandles(AbstractCandleSource):
    """Candles of one timeframe.

    A candle leaves the stream when the venue says that it is closed. What closes while the stream is down is not told
    later: ask history after every `StreamState` that is up.

    Args:
        market: asked for history.
        stream: subscribed to the candles of the instruments, see `candle_topic`.
        timeframe: of the candles.
    """

    def __init__(self, market: MarketClient, stream: Stream[PublicMessage], timeframe: Timeframe) -> None:
        self._market = market
        self._stream = stream
        self._timeframe = timeframe

    async def history(self, symbol: str, start_ms: int, end_ms: int) -> Sequence[Candle]:
        found: list[Candle] = []
        pages = self._market.candle_history(symbol, self._timeframe, start_ms=start_ms, end_ms=end_ms)
        async for _, page in pages:
            found += page
        return found

    async def stream(self) -> AsyncIterator[Candle | StreamState]:
        async for message in self._stream.messages():
            if isinstance(message, StreamState):
                yield message
            elif isinstance(message, CandleUpdate) and message.is_closed:
                yield message.candle
