"""A live L2 order book: kept from snapshots and deltas, and honest about when it cannot be trusted."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import BookSnapshot, BookUpdate
from triptych.domain.errors import DataError
from triptych.market.books.sequence import BookStatus, Protocol, Sequencer, UpdateIds
from triptych.market.books.soundness import problem_of

Levels = tuple[tuple[Decimal, Decimal], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class BookResult:
    """What became of a message.

    Attributes:
        status: see `BookStatus`.
        reason: why it was not simply applied, in words; empty otherwise.
        applied: messages applied by this call and kept; on Binance a snapshot brings along the deltas that waited for
            it.
    """

    status: BookStatus
    reason: str = ""
    applied: int = 0

    @property
    def needs_resync(self) -> bool:
        """Whether the book needs a new snapshot before anything is decided on it."""
        return self.status.needs_resync and not self.applied


_APPLIED: Final = BookResult(status=BookStatus.APPLIED, applied=1)


class OrderBook:
    """The book of one instrument.

    Prices are keys as Decimal, so 64020.40 and 64020.4 are one level and no rounding joins two. Bad market data never
    raises: `apply` answers with a status, and a book that needs a resync says so (`is_synchronised`) and refuses to be
    read until a snapshot arrives. One message is applied whole or not at all. On average a message costs about a
    microsecond a level.

    Args:
        symbol: instrument; a message of another one raises DataError, for that is a mistake in our own wiring.
        protocol: whose sequence rules hold, see `sequence.py`.
    """

    def __init__(self, symbol: str, protocol: Protocol = "bybit") -> None:
        self.symbol = symbol
        self.protocol: Protocol = protocol
        self.exchange_time_ns: int | None = None
        self.local_time_ns: int | None = None
        self._sequencer: Sequencer[BookUpdate] = Sequencer(protocol)
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}
        self._bid_prices: list[Decimal] = []
        self._ask_prices: list[Decimal] = []
        self._is_crossed = False

    @property
    def is_synchronised(self) -> bool:
        """Whether the book is known to be whole."""
        return self._sequencer.is_synchronised and not self._is_crossed

    @property
    def stretch(self) -> int:
        """Number of the unbroken stretch that the book belongs to, from 1; 0 before the first book."""
        return self._sequencer.stretches

    @property
    def counts(self) -> Counter[BookStatus]:
        """What became of the messages so far; each counts once."""
        return self._sequencer.counts

    @property
    def update_id(self) -> int | None:
        """Number of the last message applied."""
        return self._sequencer.update_id

    @property
    def sequence(self) -> int | None:
        """Cross-stream number of the last message applied."""
        return self._sequencer.sequence

    @property
    def best_bid(self) -> tuple[Decimal, Decimal] | None:
        """(price, size), or None without bids. DataError while the book is not synchronised."""
        self._refuse_unless_synchronised()
        return (price := self._bid_prices[-1], self._bids[price]) if self._bid_prices else None

    @property
    def best_ask(self) -> tuple[Decimal, Decimal] | None:
        """(price, size), or None without asks. DataError while the book is not synchronised."""
        self._refuse_unless_synchronised()
        return (price := self._ask_prices[0], self._asks[price]) if self._ask_prices else None

    def bids(self, levels: int | None = None) -> Levels:
        """(price, size) from the best outward. DataError while the book is not synchronised."""
        self._refuse_unless_synchronised()
        return tuple((price, self._bids[price]) for price in islice(reversed(self._bid_prices), levels))

    def asks(self, levels: int | None = None) -> Levels:
        """(price, size) from the best outward. DataError while the book is not synchronised."""
        self._refuse_unless_synchronised()
        return tuple((price, self._asks[price]) for price in islice(self._ask_prices, levels))

    def snapshot(self, levels: int | None = None) -> BookSnapshot:
        """The book at the venue's time of the last message (0 where the venue gave none)."""
        return BookSnapshot(
            symbol=self.symbol,
            time_ms=(self.exchange_time_ns or 0) // 1_000_000,
            bids=tuple((float(price), float(size)) for price, size in self.bids(levels)),
            asks=tuple((float(price), float(size)) for price, size in self.asks(levels)),
        )

    def row(self, levels: int) -> NDArray[np.float64]:
        """One row for an encoding, float64 of shape (4 * levels,) in the order of `book_columns`; missing: NaN."""
        row = np.full((4, levels), np.nan)
        for block, side in ((0, self.bids(levels)), (2, self.asks(levels))):
            if side:
                row[block : block + 2, : len(side)] = np.array(side, dtype=np.float64).T
        return row.reshape(-1)

    def apply(self, update: BookUpdate) -> BookResult:
        """Judge a message and apply it if it may be."""
        if update.symbol != self.symbol:
            raise DataError(f"The book of {self.symbol} was given a message of {update.symbol}.")
        ids = UpdateIds(
            update.is_snapshot,
            update.update_id,
            update.first_update_id,
            update.previous_update_id,
            update.sequence,
        )
        ruling = self._sequencer.offer(ids, update, problem_of(update, self.protocol))
        if not ruling.items:
            return BookResult(status=ruling.status, reason=ruling.reason)
        if ruling.status is BookStatus.RESET:
            for side in (self._bids, self._asks, self._bid_prices, self._ask_prices):
                side.clear()
        for item in ruling.items:
            _set_levels(self._bids, self._bid_prices, item.bids)
            _set_levels(self._asks, self._ask_prices, item.asks)
        last = ruling.items[-1]
        self.exchange_time_ns, self.local_time_ns = last.exchange_time_ns, update.local_time_ns
        bids, asks = self._bid_prices, self._ask_prices
        self._is_crossed = bool(bids and asks and bids[-1] >= asks[0])
        if self._is_crossed:
            self._sequencer.cross()
            return BookResult(
                status=BookStatus.CROSSED,
                reason=f"best bid {bids[-1]} >= best ask {asks[0]}",
                applied=len(ruling.items) if self._sequencer.outlives_crossing else 0,
            )
        if ruling.status is BookStatus.APPLIED:
            return _APPLIED
        return BookResult(status=ruling.status, applied=len(ruling.items))

    def _refuse_unless_synchronised(self) -> None:
        if not self._sequencer.is_synchronised:
            raise DataError(
                f"The book of {self.symbol} is not synchronised: it has had no snapshot yet, or has lost a message.",
                remedy="Fetch a snapshot or subscribe again before you read it.",
            )
        if self._is_crossed:
            raise DataError(
                f"The book of {self.symbol} is crossed: best bid {self._bid_prices[-1]} >= best ask "
                f"{self._ask_prices[0]}.",
                remedy="Read it after the next message that uncrosses it.",
            )


def _set_levels(sizes: dict[Decimal, Decimal], prices: list[Decimal], levels: Levels) -> None:
    for price, size in levels:
        if size:
            known = len(sizes)
            sizes[price] = size  # hashing a Decimal is what costs here, so it is done once
            if len(sizes) > known:
                insort(prices, price)
        elif sizes.pop(price, None) is not None:
            del prices[bisect_left(prices, price)]
