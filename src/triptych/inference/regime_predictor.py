"""A predictor whose predictions carry the regime of the market: what strategies conditioned on regimes look at."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries, Prediction
from triptych.inference.base import NOBODY, AbstractPredictor, AbstractView, Figures
from triptych.inference.regime_teller import RegimeTeller, ToldRegimes


class RegimePredictor(AbstractPredictor):
    """Asks the predictor inside, and the teller of regimes beside it.

    Args:
        inside: gives the probabilities of the classes.
        teller: fitted on the training segment only.
    """

    def __init__(self, inside: AbstractPredictor, teller: RegimeTeller) -> None:
        self.name, self.companions, self.horizon = inside.name, inside.companions, inside.horizon
        self.length = max(inside.length, teller.reach)
        self.look_back = max(0, inside.kept - self.length)
        self._inside, self._teller = inside, teller

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
        return self.regimes_over(series, ends).beside(self._inside.predictions_over(series, ends, companions))

    def regimes_over(self, series: CandleSeries, ends: NDArray[np.int64]) -> ToldRegimes:
        """What is told of regimes and switches at the closes of candles `ends`."""
        return self._teller.at(series, ends)

    def window_now(self, view: AbstractView, symbol: str) -> NDArray[np.floating] | None:
        return self._inside.window_now(view, symbol)

    def predict_all(self, view: AbstractView, closes: Mapping[str, int]) -> dict[str, Prediction | None]:
        answers = self._inside.predict_all(view, closes)
        return {symbol: one and self._with_regimes(view, symbol, one) for symbol, one in answers.items()}

    def _with_regimes(self, view: AbstractView, symbol: str, prediction: Prediction) -> Prediction:
        history = view.history(symbol, self._teller.reach)
        if history is None:
            return prediction
        return self.regimes_over(history, np.array([len(history) - 1])).beside([prediction])[0]
