"""A snapshot of a limit order book."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.domain.errors import DataError


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
