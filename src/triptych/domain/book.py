"""A snapshot of a limit order book, and the columns in which books of many times lie side by side."""

from __future__ import annotations

from dataclasses import dataclass
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
