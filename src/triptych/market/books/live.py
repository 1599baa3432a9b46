"""A book on a live stream: checked message by message, asked for anew as soon as it cannot be trusted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from triptych.domain import BookUpdate
from triptych.market.books.order_book import BookResult, OrderBook
from triptych.market.books.sequence import BookStatus, Protocol


class LiveBook:
    """Keeps an `OrderBook` and calls `resubscribe` when a message is missing or the book is crossed.

    Between a gap and the next snapshot `is_usable` is False and nothing may be decided on the book. When no snapshot
    comes within `patience_ms`, it is asked for again.

    Args:
        symbol, protocol: see `OrderBook`.
        resubscribe: asks the venue for a new snapshot, such as `Stream.resubscribe` of its topic.
        stale_ms: a book about which nothing was heard for so long is not usable either.
        patience_ms: how long to wait for a snapshot that was asked for.
    """

    def __init__(
        self,
        symbol: str,
        resubscribe: Callable[[], Awaitable[None]],
        *,
        protocol: Protocol = "bybit",
        stale_ms: int = 5_000,
        patience_ms: int = 1_000,
    ) -> None:
        self.book = OrderBook(symbol, protocol)
        self.resyncs = 0
        self._resubscribe = resubscribe
        self._stale_ms = stale_ms
        self._patience_ms = patience_ms
        self._asked_ms: int | None = None
        self._heard_ms: int | None = None

    async def on_update(self, update: BookUpdate, now_ms: int) -> BookResult:
        """Judge and apply one message; `now_ms` is any clock that the caller also gives to `is_usable`."""
        result = self.book.apply(update)
        self._heard_ms = now_ms
        if self.book.is_synchronised:
            self._asked_ms = None
        elif result.needs_resync or (result.status is BookStatus.WAITING and self._is_overdue(now_ms)):
            await self._ask(now_ms)
        return result

    async def on_interruption(self) -> None:
        """The connection is gone: what the book says is history. The subscription of the next one brings a snapshot."""
        self.book = OrderBook(self.book.symbol, self.book.protocol)
        self._asked_ms = self._heard_ms = None

    def is_usable(self, now_ms: int) -> bool:
        """Whether the book is whole and fresh."""
        return self.book.is_synchronised and self._heard_ms is not None and now_ms - self._heard_ms <= self._stale_ms

    def _is_overdue(self, now_ms: int) -> bool:
        if self._asked_ms is None:
            self._asked_ms = now_ms  # the first snapshot of a subscription is on its way
            return False
        return now_ms - self._asked_ms > self._patience_ms

    async def _ask(self, now_ms: int) -> None:
        self._asked_ms = now_ms
        self.resyncs += 1
        await self._resubscribe()
