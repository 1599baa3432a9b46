"""The interface of what watches a market for anomalies: candles in, readings out, in backtest, paper and live alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from triptych.inference.base import AbstractView


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What a detector says of a row.

    Attributes:
        score: 0 or more; 0 while there is none.
        threshold: what the score had to exceed.
        alarm: whether it did.
        reasons: the channels and kinds that are farthest out, of an alarm; else why there is no score, or nothing.
    """

    score: float
    threshold: float
    alarm: bool
    reasons: str

    @property
    def has_score(self) -> bool:
        """Whether the row has a score."""
        return self.alarm or not self.reasons


class AbstractWatch(ABC):
    """Reads the market at closes.

    Attributes:
        length: candles of an instrument that a reading looks back on.
        symbols: instruments whose candles it looks at, traded or not; empty: only the one that is asked about.
        levels: levels a side of order book that must stand beside their candles; 0: none.
    """

    length: int
    symbols: tuple[str, ...] = ()
    levels: int = 0

    @abstractmethod
    def read_all(self, view: AbstractView, closes: Mapping[str, int]) -> dict[str, Reading | None]:
        """Readings for several instruments from what has closed by now.

        Args:
            view: the candles known now.
            closes: close time of the newest candle by symbol, UTC milliseconds.

        Returns:
            One entry a symbol; None where candles are missing.
        """

    def why_blind(self, view: AbstractView, closes: Mapping[str, int]) -> str:
        """In words, which instruments' candles a reading at these closes lacks; empty where none is known to."""
        newest = max(closes.values())
        missing = []
        for symbol in self.symbols:
            history = view.history(symbol, 1)
            if history is None:
                missing.append(f"no candle of {symbol}")
            elif int(history.close_time_ms[-1]) < newest:
                last = datetime.fromtimestamp(int(history.close_time_ms[-1]) / 1000, tz=UTC)
                missing.append(f"no candle of {symbol} since {last:%Y-%m-%d %H:%M}")
        return ", ".join(missing)


class RecordedWatch(AbstractWatch):
    """Stands in for the watch that made the record; what is not in it is asked of that watch."""

    def __init__(self, inner: AbstractWatch, record: Mapping[str, Mapping[int, Reading | None]]) -> None:
        """Take readings by symbol and close time; None where the record knows that there is none."""
        self.length, self.symbols, self.levels = inner.length, inner.symbols, inner.levels
        self._inner, self._record = inner, record

    def read_all(self, view: AbstractView, closes: Mapping[str, int]) -> dict[str, Reading | None]:
        kept = {symbol: self._record.get(symbol, {}) for symbol in closes}
        found = {symbol: kept[symbol].get(close_ms) for symbol, close_ms in closes.items()}
        missing = {symbol: close_ms for symbol, close_ms in closes.items() if close_ms not in kept[symbol]}
        return found | self._inner.read_all(view, missing) if missing else found
