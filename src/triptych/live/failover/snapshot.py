"""What was known at one close, copied: a model that thinks for too long must not see candles change under it."""

from __future__ import annotations

from collections.abc import Iterable

from triptych.domain import CandleSeries
from triptych.inference.base import AbstractView


class Snapshot(AbstractView):
    """The last candles of some instruments at one moment."""

    def __init__(self, view: AbstractView, length: int, symbols: Iterable[str], look_back: int = 0) -> None:
        """Copy the last `length` candles of `symbols` from `view`, nothing where there are fewer, and up to `look_back`
        candles before them.
        """
        self._histories: dict[str, CandleSeries] = {}
        for symbol in dict.fromkeys(symbols):
            found = view.latest(symbol, length + look_back) if look_back else view.history(symbol, length)
            if found is not None and len(found) >= length:
                self._histories[symbol] = found

    def history(self, symbol: str, length: int) -> CandleSeries | None:
        found = self._histories.get(symbol)
        if found is None or len(found) < length:
            return None
        return found.between(len(found) - length, len(found))

    def latest(self, symbol: str, most: int) -> CandleSeries | None:
        found = self._histories.get(symbol)
        return None if found is None else found.between(max(0, len(found) - most), len(found))
