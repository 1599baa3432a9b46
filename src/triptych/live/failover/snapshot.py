"""What was known at one close, copied: a model that thinks for too long must not see candles change under it."""

from __future__ import annotations

from collections.abc import Iterable

from triptych.domain import CandleSeries
from triptych.inference.base import AbstractPredictor, AbstractView


class Snapshot(AbstractView):
    """The last candles of some instruments at one moment."""

    def __init__(self, view: AbstractView, predictor: AbstractPredictor, symbols: Iterable[str]) -> None:
        """Copy from `view` what `predictor` needs for predictions of `symbols`."""
        wanted = dict.fromkeys((*symbols, *predictor.companions))
        self._histories = {symbol: view.history(symbol, predictor.length) for symbol in wanted}

    def history(self, symbol: str, length: int) -> CandleSeries | None:
        found = self._histories.get(symbol)
        if found is None or len(found) < length:
            return None
        return found.between(len(found) - length, len(found))
