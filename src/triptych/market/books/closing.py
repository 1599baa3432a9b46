"""The book of a live stream as it stood at each close: what `sample_at` finds in a recording of the stream."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import BookUpdate, Timeframe
from triptych.market.books.live import LiveBook
from triptych.market.books.order_book import BookResult
from triptych.market.books.row_reading import AbstractRowReader, BookAt, RecentRows
from triptych.market.books.sequence import BookStatus, Protocol

KEPT_CLOSES: Final = 4_096
"""Closes whose books are kept for candles that are told late."""
_NS_PER_MS: Final = 1_000_000
_CHANGED: Final = (BookStatus.APPLIED, BookStatus.RESET)


class ClosingBook:
    """Keeps a `LiveBook` and remembers how it stood at each close.

    Times are the venue's. A close is past once a message of a later time came; before that, an earlier one may still be
    on its way. After a gap the last book that was whole stands until it is too old, as in a recording; but no rows that
    are read together (`notes_at`) lie on both sides of a gap, or of a connection that was gone.

    Args:
        symbol, resubscribe, protocol: see `LiveBook`.
        timeframe: of the candles.
        levels: levels a side.
        max_age_ms: a book last changed longer before a close is none.
        readers: figures that are read off the last rows at each close; see `notes_at`.
    """

    def __init__(
        self,
        symbol: str,
        resubscribe: Callable[[], Awaitable[None]],
        *,
        timeframe: Timeframe,
        levels: int,
        max_age_ms: int,
        protocol: Protocol = "bybit",
        readers: Sequence[AbstractRowReader] = (),
    ) -> None:
        self.live = LiveBook(symbol, resubscribe, protocol=protocol)
        self._step, self._origin = timeframe.milliseconds, timeframe.floor(0)
        self._levels, self._max_age_ms = levels, max_age_ms
        self._told_ms = -1
        self._last: BookAt | None = None
        self._stretches_before = 0
        self._closes: OrderedDict[int, NDArray[np.float64]] = OrderedDict()
        # A candle may be told two candles later than its close, and the rows before it must still be there.
        self._rows = [RecentRows(one, kept=2 * self._step // one.every_ms + 3) for one in readers]
        self._notes: OrderedDict[int, dict[str, float]] = OrderedDict()

    async def on_update(self, update: BookUpdate, now_ms: int) -> BookResult:
        """Judge and apply one message; `now_ms` is any clock of ours, see `LiveBook.on_update`."""
        result = await self.live.on_update(update, now_ms)
        if update.exchange_time_ns is not None:  # else it is taken to be as old as the one before it
            self._told_ms = max(self._told_ms, -(-update.exchange_time_ns // _NS_PER_MS))
        if result.status in _CHANGED and self.live.book.is_synchronised:
            self._remember(self._told_ms)
            stretch = self._stretches_before + self.live.book.stretch
            self._last = BookAt(self._told_ms, stretch, self.live.book.row(self._levels))
        return result

    async def on_interruption(self) -> None:
        """The connection is gone; see `LiveBook.on_interruption`. What the next one brings is a new stretch."""
        self._stretches_before += self.live.book.stretch
        await self.live.on_interruption()

    def is_past(self, close_ms: int) -> bool:
        """Whether a message of a later time came, so that nothing more is to be said of this close."""
        return self._told_ms > close_ms

    def at(self, close_ms: int) -> tuple[float, ...] | None:
        """The book at a close, as far as it was told; None where there was none, or only one that was too old."""
        found = self._closes.get(close_ms)
        if found is None and self._last is not None and 0 <= close_ms - self._last.time_ms <= self._max_age_ms:
            found = self._last.row
        return None if found is None else tuple(found.tolist())

    def notes_at(self, close_ms: int) -> dict[str, float] | None:
        """What the readers say at a close, as far as the book was told, NaN where a row is missing; None without
        readers."""
        if not self._rows:
            return None
        if not self.is_past(close_ms):  # more may be said of it
            return self._read(close_ms)
        if close_ms not in self._notes:
            self._notes[close_ms] = self._read(close_ms)
            while len(self._notes) > KEPT_CLOSES:
                self._notes.popitem(last=False)
        return self._notes[close_ms]

    def _read(self, close_ms: int) -> dict[str, float]:
        found: dict[str, float] = {}
        for one in self._rows:
            figures = one.read(close_ms, self._last, self._max_age_ms)
            found |= dict(zip(one.reader.names, figures.tolist(), strict=True))
        return found

    def _remember(self, before_ms: int) -> None:
        """The last book is that of the closes from its time up to the next one's, while it is not too old."""
        if self._last is None:
            return
        at_ms, _, row = self._last
        for one in self._rows:
            one.remember(self._last, before_ms, self._max_age_ms)
        close = at_ms + (self._origin - at_ms) % self._step
        while close < before_ms and close - at_ms <= self._max_age_ms:
            self._closes[close] = row
            close += self._step
        while len(self._closes) > KEPT_CLOSES:
            self._closes.popitem(last=False)
