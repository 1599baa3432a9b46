"""Questions about the market that need no key: candles, instruments, funding, books, trades, tickers, time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from triptych.domain import BookUpdate, Candle, FundingRate, Listing, Ticker, Timeframe, Trade
from triptych.domain.errors import DataError, ExchangeError, ProtocolError
from triptych.exchanges.bybit import market_messages as messages
from triptych.exchanges.bybit.rest import RestClient
from triptych.exchanges.bybit.words import Category, interval

CANDLES_A_PAGE = 1000
FUNDING_A_PAGE = 200
FEW: Final = 3
"""Instruments up to which each is asked for by name."""
INVALID: Final = 10001
"""How the venue answers a question about an instrument that it does not know, where it does not list nothing."""
_MOST_PAGES = 1000


class MarketClient:
    """Public questions of one category. Raises ExchangeError and its kinds."""

    def __init__(self, rest: RestClient, category: Category) -> None:
        self.category: Category = category
        self._rest = rest

    async def time_ms(self) -> int:
        """The venue's clock."""
        reply = await self._rest.get("/v5/market/time")
        return reply.result.integer("timeNano") // 1_000_000

    async def candles(
        self, symbol: str, timeframe: Timeframe, *, start_ms: int, end_ms: int, limit: int = CANDLES_A_PAGE
    ) -> list[Candle]:
        """Candles that open from `start_ms` on and before `end_ms`, oldest first; the last one may still be open.

        The venue gives the newest `limit` of them: ask for no longer a time at once.
        """
        reply = await self._rest.get(
            "/v5/market/kline",
            {
                "category": self.category, "symbol": symbol, "interval": interval(timeframe),
                "start": start_ms, "end": end_ms - 1, "limit": limit,
            },
        )  # fmt: skip
        found = messages.candles(reply.result, symbol, timeframe)
        outside = [one.open_time_ms for one in found if not start_ms <= one.open_time_ms < end_ms]
        if outside:
            raise ProtocolError(
                f"{symbol} {timeframe}: the venue sent a candle of {outside[0]}, outside what was asked."
            )
        return found

    async def candle_history(
        self, symbol: str, timeframe: Timeframe, *, start_ms: int, end_ms: int
    ) -> AsyncIterator[tuple[int, list[Candle]]]:
        """Closed candles from `start_ms` up to `end_ms`, page after page in time order.

        Each item is (time up to which everything is there now, candles of the page). Pages are cut at fixed times, so
        that a history which is fetched again asks the same questions. Candles that have not closed by the venue's own
        clock are left out.
        """
        step = timeframe.milliseconds * CANDLES_A_PAGE
        at = timeframe.floor(start_ms)
        at = at if at == start_ms else at + timeframe.milliseconds
        while at < end_ms:
            until = min(end_ms, at + step)
            page = await self.candles(symbol, timeframe, start_ms=at, end_ms=until)
            now = self._rest.clock.now_ms()
            yield until, [one for one in page if one.close_time_ms <= now]
            at = until

    async def listings(self, symbol: str | None = None, *, status: str | None = None) -> list[Listing]:
        """All instruments of the category, or one."""
        found: list[Listing] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            reply = await self._rest.get(
                "/v5/market/instruments-info",
                {
                    "category": self.category, "symbol": symbol, "status": status, "cursor": cursor,
                    "limit": None if self.category == "spot" else 1000,
                },
            )  # fmt: skip
            found += messages.listings(reply.result, self.category)
            following = reply.result.text_or_empty("nextPageCursor")
            if not following or following == cursor:
                return found
            cursor = following
        raise ProtocolError(f"The list of instruments did not end after {_MOST_PAGES} pages.")

    async def listing(self, symbol: str) -> Listing:
        """One instrument. Raises DataError when the venue does not list it."""
        return (await self.listed([symbol]))[symbol]

    async def listed(self, symbols: Sequence[str]) -> dict[str, Listing]:
        """Some instruments. Raises DataError when the venue does not list one of them."""
        found = await self.found(symbols)
        for symbol in symbols:
            if symbol not in found:
                raise DataError(
                    f"Bybit lists no {symbol} in {self.category}.",
                    remedy="Write it as the venue does, such as BTCUSDT, and see `triptych data instruments`.",
                )
        return found

    async def found(self, symbols: Sequence[str]) -> dict[str, Listing]:
        """Those of some instruments that the venue lists: a few are asked for by name, many are picked from the list
        of all.
        """
        many = await self.listings() if len(symbols) > FEW else []
        known = {one.instrument.symbol: one for one in many}
        for symbol in symbols:
            if symbol not in known:  # the list of all leaves out what is not traded at the moment
                try:
                    known |= {one.instrument.symbol: one for one in await self.listings(symbol)}
                except ExchangeError as error:
                    if error.code != INVALID:
                        raise
        return {symbol: known[symbol] for symbol in symbols if symbol in known}

    async def funding_history(
        self, symbol: str, *, start_ms: int, end_ms: int
    ) -> AsyncIterator[tuple[int, list[FundingRate]]]:
        """Funding rates from `start_ms` up to `end_ms`, page after page from the newest back.

        Each item is (time from which on everything is there now, rates of the page, oldest first).
        """
        before = end_ms
        while before > start_ms:
            reply = await self._rest.get(
                "/v5/market/funding/history",
                {
                    "category": self.category, "symbol": symbol, "startTime": start_ms, "endTime": before - 1,
                    "limit": FUNDING_A_PAGE,
                },
            )  # fmt: skip
            page = [one for one in messages.funding_rates(reply.result) if start_ms <= one.time_ms < before]
            before = page[0].time_ms if len(page) >= FUNDING_A_PAGE else start_ms
            yield before, page

    async def book(self, symbol: str, levels: int = 50) -> BookUpdate:
        """The book as a snapshot."""
        reply = await self._rest.get(
            "/v5/market/orderbook", {"category": self.category, "symbol": symbol, "limit": levels}
        )
        return messages.book_snapshot(reply.result)

    async def recent_trades(self, symbol: str, limit: int = 500) -> list[Trade]:
        """The last trades, oldest first."""
        reply = await self._rest.get(
            "/v5/market/recent-trade", {"category": self.category, "symbol": symbol, "limit": limit}
        )
        return messages.recent_trades(reply.result)

    async def tickers(self, symbol: str | None = None) -> list[Ticker]:
        """The latest figures of one instrument, or of all."""
        reply = await self._rest.get("/v5/market/tickers", {"category": self.category, "symbol": symbol})
        return messages.tickers(reply.result, reply.time_ms or self._rest.clock.now_ms())
