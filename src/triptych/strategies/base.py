"""The interface of every strategy: a prediction in, the wanted exposure out."""

from __future__ import annotations

from abc import ABC, abstractmethod

from triptych.domain import Prediction, Signal


class AbstractStrategy(ABC):
    """Pure: everything it remembers comes in through the arguments, so a restart cannot change a decision."""

    @abstractmethod
    def decide(self, prediction: Prediction, current_target: float) -> Signal:
        """The exposure wanted after this prediction.

        Args:
            prediction: class probabilities at the close of a candle.
            current_target: the exposure wanted until now, a share of capital from -1 to 1.

        Returns:
            The signal, with its reason in words. An unusable prediction (NaN) gives a target of 0.
        """
