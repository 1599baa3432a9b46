"""Causal pivots: an extreme becomes one when the price has turned back from it by a number of ATR, and not before.

Every pivot is the extreme of the candles between its neighbours: no high between two bottoms is above the top that
stands between them, no low between two tops below the bottom.
"""

from __future__ import annotations

import math
from collections import deque

KEPT = 24
"""Pivots remembered: more than any pattern has."""


class ZigZag:
    """Takes candle by candle; `update` tells how many pivots it has confirmed.

    An extreme is confirmed once the price has been back from it by `scale` ATR of now, or has passed the pivot before
    it, for then the whole leg is undone. The next leg's extreme is the furthest that the price has been since, which
    may be before the confirming candle. The order of high and low inside a candle is unknown, but its close comes after
    both: a candle that makes a new extreme has also turned when its close lies that far back.
    """

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.pivots: deque[tuple[int, float]] = deque(maxlen=KEPT)
        self.last_is_top = False
        self._sign = 1.0
        """Of the leg since the last pivot: 1 rises, -1 falls."""
        self._nested: list[tuple[int, float]] = []
        """The leg's extreme, the furthest back since, the furthest on again since then, and so forth: each lies after
        the one before and inside the two before, so that they are few."""
        self._top: tuple[int, float] | None = None
        self._bottom: tuple[int, float] | None = None

    def update(self, index: int, high: float, low: float, close: float, atr: float) -> int:
        """How many pivots this candle confirms; they then are the last of `pivots`."""
        turn = self.scale * atr if atr > 0 else math.inf  # where the price has stood still nothing turns
        if not self.pivots:
            count = self._begin(index, high, low, turn)
            if not count:
                return 0
        else:
            count = 0
            self._take(index, high, low, close, turn)
        while self._nested and self._has_turned(index, high, low, close, turn):
            self._confirm(self._nested.pop(0))
            count += 1
        return count

    def _begin(self, index: int, high: float, low: float, turn: float) -> int:
        """Before the first pivot, which is the older extreme of all candles, once they lie a turn apart."""
        above = self._top is None or high > self._top[1]
        below = self._bottom is None or low < self._bottom[1]
        if above:
            self._top = (index, high)
        if below:
            self._bottom = (index, low)
        if self._top is None or self._bottom is None or above == below or self._top[1] - self._bottom[1] < turn:
            return 0
        self._sign = -1.0 if above else 1.0
        self._confirm(self._bottom if above else self._top)
        self._nested = [self._top if above else self._bottom]
        return 1

    def _take(self, index: int, high: float, low: float, close: float, turn: float) -> None:
        """Put the candle where it lies further than the nested extremes, or inside of all."""
        sign, nested = self._sign, self._nested
        on, back = (high, low) if sign > 0 else (low, high)
        if nested and sign * (on - nested[0][1]) > 0 and sign * (on - close) < turn and self._passes(back):
            # Beyond both ends of the leg: which came first is unknown, but the leg before it is undone.
            self._nested = [nested[0], (index, back)]
            return
        for level, (_, price) in enumerate(nested):
            side, reached = (sign, on) if level % 2 == 0 else (-sign, back)
            if side * (reached - price) > 0:
                self._nested = [*nested[:level], (index, reached)]
                return
        nested.append((index, back if len(nested) % 2 else on))

    def _has_turned(self, index: int, high: float, low: float, close: float, turn: float) -> bool:
        """Whether the leg's extreme is a pivot by now."""
        at, price = self._nested[0]
        if self._passes(low if self._sign > 0 else high):
            return True
        if len(self._nested) > 1:
            return self._sign * (price - self._nested[1][1]) >= turn
        return at == index and self._sign * (price - close) >= turn

    def _passes(self, back: float) -> bool:
        """Whether a price lies behind the pivot from which the leg began."""
        return self._sign * (back - self.pivots[-1][1]) < 0

    def _confirm(self, extreme: tuple[int, float]) -> None:
        self.pivots.append(extreme)
        self.last_is_top = self._sign > 0
        self._sign = -self._sign
