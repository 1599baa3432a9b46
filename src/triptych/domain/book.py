"""A limit order book at one time, the message that changes one, and the columns in which many lie side by side."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from triptych.domain.errors import DataError

BOOK_FIELDS: Final = ("bid_price", "bid_size", "ask_price", "ask_size")
"""What a level of a book has; also the order of the blocks of columns in every tensor of book rows."""


def book_columns(levels: int) -> tuple[str, ...]:
    """Names of the columns of a row of book: bid_price_1 .. bid_price_K, then bid sizes, ask prices, ask sizes.

    Level 1 is the best. Prices are in quote currency, sizes in base units (contracts on coin-margined instruments).
    A level that the book does not have is NaN in price and size. Raises DataError unless `levels` is at least 1.
    """
    if levels < 1:
        raise DataError(f"A book needs at least 1 level a side, was {levels}.", remedy="Ask for 1 level or more.")
    return tuple(f"{field}_{level}" for field in BOOK_FIELDS for level in range(1, levels + 1))


def is_book_column(column: str) -> bool:
    """Whether a column is a price or a size of a level of an order book."""
    return column.startswith(("bid_", "ask_"))


@dataclass(frozen=True, kw_only=True, slots=True)
class BookSnapshot:
    """Levels from the best price outward as (price, size) pairs; price in quote currency, size in base units.

    Raises DataError when the best bid reaches the best ask (a crossed book).
    """

    symbol: str
    time_ms: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if self.bids and self.asks and self.bids[0][0] >= self.asks[0][0]:
            raise DataError(f"{self.symbol}: crossed book, best bid {self.bids[0][0]} >= best ask {self.asks[0][0]}.")

    @property
    def mid(self) -> float:
        """Middle between best bid and best ask."""
        return (self.bids[0][0] + self.asks[0][0]) / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class BookUpdate:
    """One message of an order-book stream: a whole book (`is_snapshot`) or the levels that changed (a delta).

    It is what the venue said and nothing is checked here; `market.books.OrderBook` judges it.

    Attributes:
        symbol: instrument.
        is_snapshot: whether `bids` and `asks` replace the book; of a delta, each level replaces the level of its price.
        bids, asks: (price, size) pairs in any order, price in quote currency, size in base units; size 0 deletes.
        update_id: number of the last change in the message: `u` of Bybit and Binance, `lastUpdateId` of a snapshot.
        first_update_id: number of the first change in the message: `U` of Binance.
        previous_update_id: number of the message before, `pu` of Binance.
        sequence: order across streams: `seq` of Bybit v5, `cross_seq` of Bybit v2.
        exchange_time_ns, local_time_ns: when the venue made the message and when we received it, UTC.
    """

    symbol: str
    is_snapshot: bool
    bids: tuple[tuple[Decimal, Decimal], ...] = ()
    asks: tuple[tuple[Decimal, Decimal], ...] = ()
    update_id: int | None = None
    first_update_id: int | None = None
    previous_update_id: int | None = None
    sequence: int | None = None
    exchange_time_ns: int | None = None
    local_time_ns: int | None = None
