"""The interface of everything that names patterns in windows of candles."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from triptych.domain.errors import NotEnoughData


class AbstractPatternReader(ABC):
    """Windows of closed candles in, for every label a probability and some numbers out.

    Attributes:
        length: candles of a window.
        labels: names of the patterns; several may stand at once.
        numbers: what is told of a label beside its probability, such as start, end and quality.
    """

    length: int
    labels: tuple[str, ...]
    numbers: tuple[str, ...]

    @abstractmethod
    def answers(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is said of windows.

        Args:
            windows: raw candles, float32 of shape (batch, length, 5); the last one of each has closed.

        Returns:
            float32 of shape (batch, labels, 1 + numbers), all from 0 to 1: the probability first, then the numbers.
        """

    def over(self, values: NDArray[np.float64], ends: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """The answers at the closes of candles `ends` of a history, each from the window that ends there.

        Args:
            values: candles of shape (n_candles, 5).
            ends: int64 of shape (n,), each at least `length` - 1; None: every candle that ends a window.

        Returns:
            float32 of shape (n, labels, 1 + numbers).

        Raises NotEnoughData for a history shorter than a window.
        """
        if len(values) < self.length:
            raise NotEnoughData(
                f"{len(values)} candles are fewer than the network's window of {self.length}.",
                remedy=f"Bring at least {self.length} candles.",
            )
        windows = sliding_window_view(values.astype(np.float32), self.length, axis=0).transpose(0, 2, 1)
        chosen = windows if ends is None else windows[ends - (self.length - 1)]
        return self.answers(chosen)
