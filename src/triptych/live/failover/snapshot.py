"""What was known at one close, copied: a model that thinks for too long must not see candles change under it."""

from __future__ import annotations

from collections.abc import Iterable

from triptych.domain import CandleSeries
from triptych.inference.base import AbstractView


class Snapshot(AbstractView):
    """The last candles of some instruments at one moment."""

    def __init__(self, view: AbstractView, length: int, symbols: Iterable[str]) -> None:
        """Copy the last `length` candles of `symbols` from `view`."""
        self._histories = {symbol: view.history(symbol, length) for symbol in dict.fromkeys(symbols)}

    def history(self, symbol: str, length: int) -> CandleSeries | None:
        found = self._histories.get(symbol)
        if found is None or len(found) < length:
            return None
        return found.between(len(found) - length, len(found))
