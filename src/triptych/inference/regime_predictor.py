"""A predictor whose predictions carry the regime of the market: what strategies conditioned on regimes look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries, Prediction
from triptych.inference.base import NOBODY, AbstractPredictor, AbstractView, Figures
from triptych.inference.regimes import WARM_UP, RegimeFilter


class RegimePredictor(AbstractPredictor):
    """Asks the predictor inside, and the filter beside it.

    Args:
        inside: gives the probabilities of the classes.
        regimes: fitted on the training segment only.
        memory: candles whose measures the filter looks back on.
    """

    def __init__(self, inside: AbstractPredictor, regimes: RegimeFilter, memory: int) -> None:
        self.name, self.companions, self.horizon = inside.name, inside.companions, inside.horizon
        self.length = max(inside.length, WARM_UP + memory)
        self._inside, self._regimes, self._memory = inside, regimes, memory

    @classmethod
    def of_card(cls, inside: AbstractPredictor, content: Mapping[str, Any]) -> Self:
        """The predictor that a card describes, see `card_of`."""
        return cls(inside, RegimeFilter.from_dict(content["filter"]), content["memory"])

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        return self._inside.probabilities(windows)

    def returns(self, windows: NDArray[np.floating]) -> NDArray[np.float32] | None:
        return self._inside.returns(windows)

    def foretold(self, windows: NDArray[np.floating]) -> Figures:
        return self._inside.foretold(windows)

    def foretold_over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> Figures:
        return self._inside.foretold_over(series, ends, companions)

    def over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> NDArray[np.float32]:
        return self._inside.over(series, ends, companions)

    def predictions_over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> list[Prediction]:
        found = self._inside.predictions_over(series, ends, companions)
        rows = self.regimes_over(series, ends).tolist()
        return [replace(one, regimes=tuple(row)) for one, row in zip(found, rows, strict=True)]

    def regimes_over(self, series: CandleSeries, ends: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probabilities of the regimes at the closes of candles `ends`, shape (n, 5); NaN while they are not known."""
        return self._regimes.recent(series, self._memory)[ends]

    def window_now(self, view: AbstractView, symbol: str) -> NDArray[np.floating] | None:
        return self._inside.window_now(view, symbol)

    def predict_all(self, view: AbstractView, closes: Mapping[str, int]) -> dict[str, Prediction | None]:
        answers = self._inside.predict_all(view, closes)
        return {symbol: one and replace(one, regimes=self._now(view, symbol)) for symbol, one in answers.items()}

    def _now(self, view: AbstractView, symbol: str) -> tuple[float, ...]:
        history = view.history(symbol, WARM_UP + self._memory)
        if history is None:
            return ()
        return tuple(self.regimes_over(history, np.array([len(history) - 1]))[0].tolist())


def card_of(regimes: RegimeFilter, memory: int) -> dict[str, Any]:
    """What a card says of a filter: plain numbers."""
    return {"memory": memory, "filter": regimes.as_dict(), "notes": list(regimes.notes())}
