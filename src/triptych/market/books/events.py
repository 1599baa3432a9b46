"""A recorded book stream in columns: every message as it came, so that it replays exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import BookUpdate
from triptych.domain.errors import DataError
from triptych.market.books.sequence import Protocol, UpdateIds

ABSENT: Final = -1
"""Stands in integer columns for a number or a time that the venue did not give."""
MAX_DECIMALS: Final = 12
_NO_PRICE: Final = Decimal(0)
ID_FIELDS: Final = ("update_id", "first_update_id", "previous_update_id", "sequence")
TIME_FIELDS: Final = ("exchange_time_ns", "local_time_ns")


@dataclass(frozen=True, kw_only=True, slots=True)
class BookEvents:
    """Messages of one book's stream in the order of arrival, as the venue sent them.

    Levels of a venue's own stream may be such that they cannot be right: a recording tells what was received, and the
    replay judges it (`soundness.py`). Under the protocol "none" nothing could mend the book after such a message, so
    there it raises DataError.

    Attributes:
        symbol: instrument.
        protocol: whose sequence rules hold, see `sequence.py`.
        price_decimals: a price is `price_ticks / 10**price_decimals` in quote currency.
        is_snapshot: bool of shape (m,).
        update_id: int64 of shape (m,), -1 where the venue gives none; so are the three that follow.
        exchange_time_ns, local_time_ns: int64 of shape (m,), UTC, -1 where unknown.
        level_start: int64 of shape (m + 1,): message i holds the levels level_start[i] .. level_start[i + 1] - 1.
        is_ask: bool of shape (l,).
        price_ticks: int64 of shape (l,); 0 stands for a price that is no finite number.
        sizes: float64 of shape (l,), in base units; 0 deletes the level.
        n_unreadable_lines: lines of a raw capture that are no messages, and were left out.
    """

    symbol: str
    protocol: Protocol
    price_decimals: int
    is_snapshot: NDArray[np.bool_]
    update_id: NDArray[np.int64]
    first_update_id: NDArray[np.int64]
    previous_update_id: NDArray[np.int64]
    sequence: NDArray[np.int64]
    exchange_time_ns: NDArray[np.int64]
    local_time_ns: NDArray[np.int64]
    level_start: NDArray[np.int64]
    is_ask: NDArray[np.bool_]
    price_ticks: NDArray[np.int64]
    sizes: NDArray[np.float64]
    n_unreadable_lines: int = 0

    def __post_init__(self) -> None:
        if self.protocol != "none":
            return
        bad = np.flatnonzero(~((self.sizes >= 0) & (self.sizes < np.inf)) | (self.price_ticks <= 0))
        if bad.size:
            level = int(bad[0])
            message = int(np.searchsorted(self.level_start, level, side="right")) - 1
            price = Decimal(int(self.price_ticks[level])).scaleb(-self.price_decimals)
            raise DataError(
                f"{self.symbol}: message {message} of the book stream holds a size of {self.sizes[level]} at the price "
                f"{price}; sizes must be at least 0 and prices above 0.",
                remedy="Remove the message from the file and read it again.",
            )

    def __len__(self) -> int:
        return len(self.is_snapshot)

    @property
    def n_levels(self) -> int:
        """Level updates in all messages together."""
        return len(self.sizes)

    def ids(self) -> Iterator[UpdateIds]:
        """The numbers of each message in turn, for the sequence rules."""
        columns = [getattr(self, name).tolist() for name in ID_FIELDS]
        for is_snapshot, *numbers in zip(self.is_snapshot.tolist(), *columns, strict=True):
            yield UpdateIds(is_snapshot, *(None if number == ABSENT else number for number in numbers))

    def updates(self) -> Iterator[BookUpdate]:
        """The messages one by one, as the live feed would see them."""
        for i in range(len(self)):
            ticks = self.price_ticks[self.level_start[i] : self.level_start[i + 1]].tolist()
            sizes = self.sizes[self.level_start[i] : self.level_start[i + 1]].tolist()
            asks = self.is_ask[self.level_start[i] : self.level_start[i + 1]].tolist()
            sides: tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]] = ([], [])
            for tick, size, is_ask in zip(ticks, sizes, asks, strict=True):
                sides[is_ask].append((Decimal(tick).scaleb(-self.price_decimals), Decimal(repr(size))))
            numbers = {name: _or_none(getattr(self, name)[i]) for name in (*ID_FIELDS, *TIME_FIELDS)}
            yield BookUpdate(
                symbol=self.symbol, is_snapshot=bool(self.is_snapshot[i]), bids=tuple(sides[0]), asks=tuple(sides[1]),
                **numbers,
            )  # fmt: skip


def events_of(
    updates: Sequence[BookUpdate], *, symbol: str, protocol: Protocol, price_decimals: int | None = None
) -> BookEvents:
    """Put messages of one instrument in columns.

    Args:
        updates: in the order of arrival.
        symbol: their instrument.
        protocol: whose sequence rules hold.
        price_decimals: digits kept after the point; None: as many as the prices have.

    Raises DataError when a price has more decimals than kept, or does not fit in 64 bits.
    """
    sides = [(update.bids, update.asks) for update in updates]
    counts = [len(bids) + len(asks) for bids, asks in sides]
    is_ask = [flag for bids, asks in sides for flag in [False] * len(bids) + [True] * len(asks)]
    prices = [price for both in sides for levels in both for price, _ in levels]
    sizes = [size for both in sides for levels in both for _, size in levels]
    decimals = decimals_of(prices) if price_decimals is None else price_decimals
    numbers: dict[str, Any] = {
        name: _numbers([getattr(update, name) for update in updates]) for name in (*ID_FIELDS, *TIME_FIELDS)
    }
    return BookEvents(
        symbol=symbol,
        protocol=protocol,
        price_decimals=decimals,
        is_snapshot=np.array([update.is_snapshot for update in updates], dtype=np.bool_),
        **numbers,
        level_start=np.concatenate([[0], np.cumsum(np.array(counts, dtype=np.int64))]).astype(np.int64),
        is_ask=np.array(is_ask, dtype=np.bool_),
        price_ticks=ticks_of(prices, decimals, symbol),
        sizes=np.array(sizes, dtype=np.float64),
    )


def decimals_of(prices: Sequence[Decimal]) -> int:
    """Digits after the point of the finest price, trailing zeros not counted."""
    finest = 0
    for price in set(prices):
        if price.is_finite():
            exponent = price.normalize().as_tuple().exponent
            finest = max(finest, -int(exponent))
    return finest


def ticks_of(prices: Sequence[Decimal], decimals: int, symbol: str) -> NDArray[np.int64]:
    """Prices as whole numbers of 10**-decimals, int64 of shape (n,); 0 where a price is not finite."""
    scaled = [price.scaleb(decimals) if price.is_finite() else _NO_PRICE for price in prices]
    ticks = [int(x) for x in scaled]
    for price, x, tick in zip(prices, scaled, ticks, strict=True):
        if x != tick or decimals > MAX_DECIMALS or abs(tick) >= 2**63:
            raise DataError(
                f"{symbol}: the price {price} cannot be kept with {decimals} decimals.",
                remedy=f"Give `price_decimals` (at most {MAX_DECIMALS}) as the instrument has it.",
            )
    return np.array(ticks, dtype=np.int64)


def join_events(parts: Sequence[BookEvents]) -> BookEvents:
    """Recordings of one stream one after the other. Raises DataError when they belong to different streams."""
    first = parts[0]
    for part in parts[1:]:
        if (part.symbol, part.protocol) != (first.symbol, first.protocol):
            raise DataError(
                f"Streams of {first.symbol} ({first.protocol}) and {part.symbol} ({part.protocol}) cannot be joined.",
                remedy="Join recordings of one instrument and one venue.",
            )
    decimals = max(part.price_decimals for part in parts)
    offsets = np.cumsum([0, *(part.n_levels for part in parts)])
    starts = [part.level_start[:-1] + offset for part, offset in zip(parts, offsets, strict=False)]
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("is_snapshot", *ID_FIELDS, *TIME_FIELDS, "is_ask", "sizes")
    }
    return BookEvents(
        symbol=first.symbol,
        protocol=first.protocol,
        price_decimals=decimals,
        level_start=np.concatenate([*starts, offsets[-1:]]).astype(np.int64),
        n_unreadable_lines=sum(part.n_unreadable_lines for part in parts),
        price_ticks=np.concatenate([part.price_ticks * 10 ** (decimals - part.price_decimals) for part in parts]),
        **joined,
    )


def _numbers(values: Sequence[int | None]) -> NDArray[np.int64]:
    return np.array([ABSENT if value is None else value for value in values], dtype=np.int64)


def _or_none(value: np.int64) -> int | None:
    return None if value == ABSENT else int(value)
