"""Causal pivots: an extreme becomes one when the price has turned back from it by a number of ATR, and not before."""

from __future__ import annotations

from collections import deque

KEPT = 24
"""Pivots remembered: more than any pattern has."""


class ZigZag:
    """Takes candle by candle; `update` tells when a pivot has been confirmed.

    A candle that makes a new extreme is not asked whether it also turned back: the order inside it is unknown.
    """

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.pivots: deque[tuple[int, float]] = deque(maxlen=KEPT)
        self.last_is_top = False
        self._direction = 0
        self._top = self._bottom = (0, 0.0)

    def update(self, index: int, high: float, low: float, atr: float) -> bool:
        """Whether this candle confirms a pivot, which then is the last of `pivots`."""
        turn = self.scale * atr
        if self._direction == 0:
            return self._begin(index, high, low, turn)
        if self._direction > 0:
            if high > self._top[1]:
                self._top = (index, high)
            elif low <= self._top[1] - turn:
                return self._confirm(self._top, top=True, index=index, high=high, low=low)
        elif low < self._bottom[1]:
            self._bottom = (index, low)
        elif high >= self._bottom[1] + turn:
            return self._confirm(self._bottom, top=False, index=index, high=high, low=low)
        return False

    def _begin(self, index: int, high: float, low: float, turn: float) -> bool:
        if index == 0:
            self._top, self._bottom = (0, high), (0, low)
            return False
        if high > self._top[1]:
            self._top = (index, high)
        if low < self._bottom[1]:
            self._bottom = (index, low)
        if self._top[1] - self._bottom[1] >= turn > 0 and self._top[0] != self._bottom[0]:
            rises = self._top[0] > self._bottom[0]
            self.pivots.append(self._bottom if rises else self._top)
            self.last_is_top = not rises
            self._direction = 1 if rises else -1
            return True
        return False

    def _confirm(self, pivot: tuple[int, float], *, top: bool, index: int, high: float, low: float) -> bool:
        self.pivots.append(pivot)
        self.last_is_top = top
        self._direction = -1 if top else 1
        self._top, self._bottom = (index, high), (index, low)
        return True
