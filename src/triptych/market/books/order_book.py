"""A live L2 order book: kept from snapshots and deltas, and honest about when it cannot be trusted."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import islice
from operator import eq
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import BookSnapshot, BookUpdate
from triptych.domain.errors import DataError
from triptych.market.books.sequence import BookStatus, Protocol, Sequencer, UpdateIds

Levels = tuple[tuple[Decimal, Decimal], ...]
_ZERO: Final = Decimal(0)
_INFINITY: Final = Decimal("Infinity")


@dataclass(frozen=True, kw_only=True, slots=True)
class BookResult:
    """What became of a message.

    Attributes:
        status: see `BookStatus`.
        reason: why it was not simply applied, in words; empty otherwise.
        applied: messages applied by this call; on Binance a snapshot brings along the deltas that waited for it.
    """

    status: BookStatus
    reason: str = ""
    applied: int = 0

    @property
    def needs_resync(self) -> bool:
        """Whether the book needs a new snapshot before anything is decided on it."""
        return self.status.needs_resync


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
        self.counts: Counter[BookStatus] = Counter()
        self.exchange_time_ns: int | None = None
        self.local_time_ns: int | None = None
        self._sequencer: Sequencer[BookUpdate] = Sequencer(protocol)
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}
        self._bid_prices: list[Decimal] = []
        self._ask_prices: list[Decimal] = []

    @property
    def is_synchronised(self) -> bool:
        """Whether the book is known to be whole."""
        return self._sequencer.is_synchronised

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
        problem = _problem_of(update)
        if problem:
            return self._distrust(BookStatus.INVALID, problem)
        ids = UpdateIds(
            update.is_snapshot,
            update.update_id,
            update.first_update_id,
            update.previous_update_id,
            update.sequence,
        )
        ruling = self._sequencer.offer(ids, update)
        self.counts[ruling.status] += 1
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
        if self._bid_prices and self._ask_prices and self._bid_prices[-1] >= self._ask_prices[0]:
            self.counts[ruling.status] -= 1
            return self._distrust(
                BookStatus.CROSSED, f"best bid {self._bid_prices[-1]} >= best ask {self._ask_prices[0]}"
            )
        if ruling.status is BookStatus.APPLIED:
            return _APPLIED
        return BookResult(status=ruling.status, applied=len(ruling.items))

    def _distrust(self, status: BookStatus, reason: str) -> BookResult:
        self.counts[status] += 1
        self._sequencer.lose()
        return BookResult(status=status, reason=reason)

    def _refuse_unless_synchronised(self) -> None:
        if not self._sequencer.is_synchronised:
            raise DataError(
                f"The book of {self.symbol} is not synchronised: it has had no snapshot yet, or has lost a message.",
                remedy="Fetch a snapshot or subscribe again before you read it.",
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


def _problem_of(update: BookUpdate) -> str:
    """What is wrong with the levels of a message, in words; empty when nothing is."""
    for name, levels in (("bid", update.bids), ("ask", update.asks)):
        if _is_sound(levels):
            continue
        try:
            for price, size in levels:
                if not _ZERO < price < _INFINITY or not _ZERO <= size < _INFINITY:
                    return f"{name} of size {size} at price {price}"
        except InvalidOperation:
            return f"{name} of size {size} at price {price}"
        if len(levels) > 1 and len(dict(levels)) != len(levels):
            return f"a {name} price stands twice in one message"
    return ""


def _is_sound(levels: Levels) -> bool:
    """Whether nothing is wrong, told by comparisons alone: levels mostly come sorted, so sorting them costs little."""
    if not levels:
        return True
    try:
        prices = sorted([price for price, _ in levels])
        sizes = [size for _, size in levels]
        return (
            prices[0] > _ZERO
            and prices[-1] < _INFINITY
            and min(sizes) >= _ZERO
            and max(sizes) < _INFINITY
            and not any(map(eq, prices, islice(prices, 1, None)))
        )
    except InvalidOperation:
        return False
