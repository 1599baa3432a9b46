"""What a model says (`Prediction`) and what a strategy wants (`Signal`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

CLASSES: Final = ("sell", "hold", "buy")
"""Order of the class axis of every direction model."""
SELL, HOLD, BUY = range(3)
REGIMES: Final = ("bull", "bear", "sideways", "high_volatility", "low_liquidity")
"""States of the market, in the order of their probabilities."""
OF_LATE: Final = 240
"""Candles within which an alarm that the market has switched is told of beside a prediction."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """What one member of a consensus says: its name and its class probabilities."""

    model: str
    probability_sell: float
    probability_hold: float
    probability_buy: float

    @property
    def words(self) -> str:
        """The likeliest class with its probability, such as `patterns buy 0.52`."""
        said = (self.probability_sell, self.probability_hold, self.probability_buy)
        likeliest = max(range(3), key=said.__getitem__)
        return f"{self.model} {CLASSES[likeliest]} {said[likeliest]:.3f}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Foretold:
    """Figures that a model foretells beside the classes, over the next `horizon` candles; None of what it does not.

    `size` is the return as a fraction, `volatility` the root of the sum of squared log returns.
    """

    horizon: int
    size: float | None = None
    volatility: float | None = None

    @property
    def volatility_per_candle(self) -> float | None:
        """Standard deviation of one candle's log return; None where the volatility is not foretold, or no number."""
        if self.volatility is None or not 0.0 < self.volatility < math.inf:
            return None
        return self.volatility / math.sqrt(self.horizon)


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """Class probabilities of one model at the close of one candle. `time_ms` is that close (UTC).

    A prediction that several models made together carries the vote of each. `allowed` is the only direction that it
    lets one enter, 1 to buy, -1 to sell, 0 for neither; None for both. `regimes` are the probabilities of the market's
    regimes at that close, in the order of `REGIMES`; empty where nobody told them. `since_switch` counts the candles
    since the last alarm that the market had switched, 0 at the close that raised it; -1 where none of the last
    `OF_LATE` closes did. `foretold` are the figures of a model that answers more than the direction; None of another.
    """

    symbol: str
    time_ms: int
    probability_sell: float
    probability_hold: float
    probability_buy: float
    model: str = ""
    votes: tuple[Vote, ...] = ()
    allowed: int | None = None
    regimes: tuple[float, ...] = ()
    since_switch: int = -1
    foretold: Foretold | None = None

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
