"""The interface of a place that only gives history: candles of other venues, stocks, indices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from triptych.domain import Candle, Instrument, Timeframe


class AbstractHistory(ABC):
    """History, page by page.

    Attributes:
        venue: name under which the candles are stored.
    """

    venue: str

    @abstractmethod
    def instrument(self, symbol: str) -> Instrument:
        """The rules of an instrument. Raises DataError for one that is not there."""

    @abstractmethod
    def pages(self, symbol: str, timeframe: Timeframe, *, start_ms: int, end_ms: int) -> Iterator[list[Candle]]:
        """Candles that open in [start_ms, end_ms), page by page in time order; the very last one may still be open.

        Raises DataError for a timeframe or a span that the place does not have, ExchangeError when it cannot be asked.
        """
