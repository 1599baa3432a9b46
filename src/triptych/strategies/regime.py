"""A strategy conditioned on regimes: another strategy's wish, made smaller or forbidden where it does not belong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, Protocol

from pydantic import Field, field_validator

from triptych import domain
from triptych.domain import Prediction, Signal
from triptych.inference.regimes import REGIMES
from triptych.strategies.base import AbstractStrategy


class KnowsRegimes(Protocol):
    """Probabilities of regimes as they were known at a time, such as `RecordedRegimes`."""

    def at(self, symbol: str, time_ms: int) -> Mapping[str, float] | None:
        """Probability of each regime of `REGIMES` at a close (UTC); None while they are not known."""


class Config(domain.Config):
    """How much of a wish is kept in each regime."""

    keep: dict[str, float] = Field(
        {"bull": 1.0, "bear": 1.0, "sideways": 0.5, "high_volatility": 0.5, "low_liquidity": 0.0},
        description="Share of the wanted exposure that is kept in each regime, from 0 to 1; 1 for those left out.",
    )
    against: Literal["allow", "forbid"] = Field(
        "allow", description="`forbid`: no long position while bear is the likeliest regime, no short one in a bull."
    )
    unknown: float = Field(0.0, ge=0, le=1, description="Share that is kept while the regime is not known.")

    @field_validator("keep")
    @classmethod
    def _names_and_shares(cls, keep: dict[str, float]) -> dict[str, float]:
        for name, share in keep.items():
            if name not in REGIMES:
                raise ValueError(f"unknown regime {name!r}; known: {', '.join(REGIMES)}")
            if not 0 <= share <= 1:
                raise ValueError(f"the share of {name} must lie from 0 to 1, was {share}")
        return keep


class RegimeStrategy(AbstractStrategy):
    """Asks the strategy inside and keeps the share of its target that the regimes allow on average.

    The probabilities come in through the constructor; they are filtered ones, so that nothing later is known.
    """

    def __init__(self, inside: AbstractStrategy, regimes: KnowsRegimes, config: Config) -> None:
        self.config = config
        self._inside = inside
        self._regimes = regimes

    def decide(self, prediction: Prediction, current_target: float) -> Signal:
        wish = self._inside.decide(prediction, current_target)
        share, why = self._share(wish)
        if wish.target == 0 or share == 1:
            return wish
        return Signal(
            symbol=wish.symbol, time_ms=wish.time_ms, target=wish.target * share, reason=f"{wish.reason}; {why}"
        )

    def _share(self, wish: Signal) -> tuple[float, str]:
        found = self._regimes.at(wish.symbol, wish.time_ms)
        if found is None or not math.isfinite(sum(found.values())):
            return self.config.unknown, f"the regime is not known: {self.config.unknown:g} of it"
        likeliest = max(found, key=lambda name: found[name])
        if self.config.against == "forbid" and likeliest == ("bear" if wish.target > 0 else "bull"):
            return 0.0, f"{likeliest} is the likeliest regime: nothing of it"
        share = sum(p * self.config.keep.get(name, 1.0) for name, p in found.items())
        return min(share, 1.0), f"{likeliest} is the likeliest regime: {share:.2f} of it"
