"""One closed candle, named by its open time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from triptych.domain.errors import CandleError
from triptych.domain.timeframe import Timeframe

OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)
CANDLE_FIELDS: Final = ("open", "high", "low", "close", "volume")
"""Order of the last axis of every candle tensor in Triptych."""
BY_NETWORK: Final = "network:"
"""How the names of notes begin that a network wrote."""


def utc(time_ms: int) -> str:
    """A UTC time in words, such as 2023-01-31 00:15:00."""
    return datetime.fromtimestamp(time_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True, kw_only=True, slots=True)
class Candle:
    """Prices in quote currency, volume in base units, times in UTC milliseconds.

    `book` is the order book as it stood when the candle closed, where somebody kept one: a row of `book_columns`, NaN
    where a level was missing. `notes` are figures by name that were read off the books up to that close, NaN where they
    were not known. Both stand beside the candle and do not make it another one.

    Raises CandleError when a price is not a positive number, high and low do not contain open and close,
    or the volume is negative.
    """

    symbol: str
    timeframe: Timeframe
    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    book: tuple[float, ...] | None = field(default=None, compare=False, repr=False)
    notes: Mapping[str, float] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        # One chained comparison: it is made for every candle of every replay, and NaN fails it.
        if not (
            0 < self.low <= self.open <= self.high < math.inf
            and self.low <= self.close <= self.high
            and 0 <= self.volume < math.inf
        ):
            raise CandleError(
                f"{self.symbol} {self.timeframe} candle of {utc(self.open_time_ms)} UTC: {self._problem()}, was "
                f"open={self.open} high={self.high} low={self.low} close={self.close} volume={self.volume}."
            )

    def _problem(self) -> str:
        prices = (self.open, self.high, self.low, self.close)
        if not all(math.isfinite(price) and price > 0 for price in prices):
            return "prices must be positive numbers"
        if self.high < max(prices) or self.low > min(prices):
            return "high and low must contain open and close"
        return "volume must be zero or more"

    @property
    def is_heard(self) -> bool:
        """Whether a book stands beside it, and nothing is unknown of what was to be read off the books."""
        return self.book is not None and not any(math.isnan(value) for value in (self.notes or {}).values())

    @property
    def close_time_ms(self) -> int:
        """First millisecond at which the candle may be used: it is closed."""
        return self.open_time_ms + self.timeframe.milliseconds
