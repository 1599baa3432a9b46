"""The last candles of a stream, by their position in the whole history, with Wilder's ATR."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLOSE, HIGH, LOW


class RecentCandles:
    """Keeps at least the last `memory` candles; older ones are forgotten."""

    def __init__(self, memory: int, atr_period: int, *, start: int = 0) -> None:
        """Begin with none; the first that is appended has the position `start`."""
        self._memory = memory
        self._rows = np.empty((3, 2 * memory))
        self.start = start
        self._first = start
        self._stored = 0
        self._period = atr_period
        self._sum = 0.0
        self.atr = 0.0
        """Wilder's average true range of the last candle; the plain mean until the period is full."""

    def __len__(self) -> int:
        return self._first + self._stored

    def append(self, candle: NDArray[np.float64]) -> None:
        """Take the next candle: open, high, low, close, volume."""
        if self._stored == 2 * self._memory:
            self._rows[:, : self._memory] = self._rows[:, self._memory :]
            self._first += self._memory
            self._stored = self._memory
        high, low, close = float(candle[HIGH]), float(candle[LOW]), float(candle[CLOSE])
        seen = len(self) - self.start
        before = self._rows[2, self._stored - 1] if seen else close
        moved = max(high, before) - min(low, before)
        if seen < self._period:
            self._sum += moved
            self.atr = self._sum / (seen + 1)
        else:
            self.atr += (moved - self.atr) / self._period
        self._rows[:, self._stored] = high, low, close
        self._stored += 1

    def has(self, index: int) -> bool:
        """Whether the candle is still kept."""
        return self._first <= index < len(self)

    def high(self, start: int, stop: int) -> NDArray[np.float64]:
        """Highs of candles start .. stop - 1 by position in the history."""
        return self._rows[0, start - self._first : stop - self._first]

    def low(self, start: int, stop: int) -> NDArray[np.float64]:
        """Lows of candles start .. stop - 1."""
        return self._rows[1, start - self._first : stop - self._first]

    def close(self, start: int, stop: int) -> NDArray[np.float64]:
        """Closes of candles start .. stop - 1."""
        return self._rows[2, start - self._first : stop - self._first]
