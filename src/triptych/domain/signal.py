"""What a model says (`Prediction`) and what a strategy wants (`Signal`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

CLASSES: Final = ("sell", "hold", "buy")
"""Order of the class axis of every direction model."""
SELL, HOLD, BUY = range(3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """Class probabilities of one model at the close of one candle. `time_ms` is that close (UTC)."""

    symbol: str
    time_ms: int
    probability_sell: float
    probability_hold: float
    probability_buy: float
    model: str = ""

    @property
    def is_usable(self) -> bool:
        """False when a probability is not a number: such a prediction must not lead to an order."""
        return all(math.isfinite(p) for p in (self.probability_sell, self.probability_hold, self.probability_buy))


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """The exposure a strategy wants in one instrument.

    `target` is a share of the capital given to the instrument, from -1 (fully short) to 1 (fully long);
    `reason` says in words why.
    """

    symbol: str
    time_ms: int
    target: float
    reason: str
