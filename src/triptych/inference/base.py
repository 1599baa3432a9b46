"""The interface of everything that turns a window of candles into a prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from triptych.domain import Prediction


class AbstractPredictor(ABC):
    """Window in, prediction out: the one way from candles to probabilities in backtest, paper and live.

    Attributes:
        length: candles in a window.
        name: what predictions are signed with.
    """

    length: int
    name: str

    @abstractmethod
    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        """Class probabilities of a batch.

        Args:
            windows: array of shape (batch, length, 5), raw closed candles.

        Returns:
            float32 array of shape (batch, 3): sell, hold, buy; rows sum to 1.
        """

    def predict(self, symbol: str, window: NDArray[np.floating], close_time_ms: int) -> Prediction:
        """The prediction at the close of the last candle of one window of shape (length, 5)."""
        sell, hold, buy = (float(p) for p in self.probabilities(window[None])[0])
        return Prediction(
            symbol=symbol, time_ms=close_time_ms, model=self.name,
            probability_sell=sell, probability_hold=hold, probability_buy=buy,
        )  # fmt: skip
