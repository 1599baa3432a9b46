"""Candles of a venue with the order book beside them as it stood when each closed: one stream tells both.

A model that reads books was trained on the last book at or before each close. Live, a message of that time may come
after the candle, so a closed candle waits until the book has been told of a later time, or for `patience_seconds` in a
market so quiet that nothing more is said.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from triptych import domain
from triptych.domain import BookUpdate, Candle, CandleUpdate, StreamState
from triptych.exchanges.gateway import AbstractCandleSource

if TYPE_CHECKING:  # the settings of live trading are read before anything of books is loaded
    from triptych.market.books import ClosingBook


class Config(domain.Config):
    """How books are waited for."""

    patience_seconds: float = Field(
        default=0.5,
        ge=0,
        le=30,
        description="Seconds that a closed candle waits for its order book where the stream says nothing more of it.",
    )


Past = Callable[[str, Sequence[Candle]], Sequence[Candle]]
"""Puts books of the past beside candles of an instrument, from a recording."""


class BookedCandles(AbstractCandleSource):
    """Candles of `inner` with books beside them.

    Args:
        inner: asked for history.
        messages: begins the stream of candles and books: `CandleUpdate`, `BookUpdate`, `StreamState`; others are passed
            over. Of an instrument without a book, candles are passed on as they are.
        books: by symbol.
        config: see `Config`.
        past: of candles that closed before the stream was heard; None: they have no books.
    """

    def __init__(
        self,
        inner: AbstractCandleSource,
        messages: Callable[[], AsyncIterator[object]],
        books: Mapping[str, ClosingBook],
        config: Config | None = None,
        *,
        past: Past | None = None,
    ) -> None:
        self._inner, self._messages, self._books = inner, messages, books
        self._patience_s = (config or Config()).patience_seconds
        self._past = past
        self._waiting: deque[tuple[float, Candle]] = deque()

    async def history(self, symbol: str, start_ms: int, end_ms: int) -> Sequence[Candle]:
        found = await self._inner.history(symbol, start_ms, end_ms)
        if symbol not in self._books:
            return found
        booked = [self._with_book(one) for one in found]
        if self._past is None or all(one.is_heard for one in booked):
            return booked
        recorded = await asyncio.to_thread(self._past, symbol, found)
        return [ours if ours.is_heard else other for ours, other in zip(booked, recorded, strict=True)]

    async def stream(self) -> AsyncIterator[Candle | StreamState]:
        loop = asyncio.get_running_loop()
        messages = self._messages()
        coming: asyncio.Future[object] | None = None
        try:
            while True:
                coming = coming or asyncio.ensure_future(anext(messages))
                left = None if not self._waiting else max(self._waiting[0][0] - loop.time(), 0.0)
                done, _ = await asyncio.wait([coming], timeout=left)
                if done:
                    try:
                        message = coming.result()
                    except StopAsyncIteration:
                        break
                    finally:
                        coming = None
                    if isinstance(message, StreamState):
                        for candle in self._leaving(float("inf")):  # nobody will say more of these closes
                            yield candle
                        await self._on_state(message)
                        yield message
                    elif isinstance(message, BookUpdate) and message.symbol in self._books:
                        await self._books[message.symbol].on_update(message, int(loop.time() * 1000))
                    elif isinstance(message, CandleUpdate) and message.is_closed:
                        self._waiting.append((loop.time() + self._patience_s, message.candle))
                for candle in self._leaving(loop.time()):
                    yield candle
            for candle in self._leaving(float("inf")):
                yield candle
        finally:
            if coming is not None:
                coming.cancel()
                with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                    await coming

    async def _on_state(self, state: StreamState) -> None:
        if not state.is_up:
            for book in self._books.values():
                await book.on_interruption()

    def _leaving(self, now_s: float) -> list[Candle]:
        """Candles that need not wait any more, with their books; those of an instrument stay in order."""
        found, held, kept = [], set(), deque[tuple[float, Candle]]()
        for until_s, candle in self._waiting:
            book = self._books.get(candle.symbol)
            is_told = book is None or book.is_past(candle.close_time_ms) or until_s <= now_s
            if is_told and candle.symbol not in held:
                found.append(self._with_book(candle))
            else:
                held.add(candle.symbol)
                kept.append((until_s, candle))
        self._waiting = kept
        return found

    def _with_book(self, candle: Candle) -> Candle:
        book = self._books.get(candle.symbol)
        if book is None:
            return candle
        return replace(candle, book=book.at(candle.close_time_ms), notes=book.notes_at(candle.close_time_ms))
