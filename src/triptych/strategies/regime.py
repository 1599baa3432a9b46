"""A strategy conditioned on regimes: another strategy's wish, made smaller or forbidden where it does not belong."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

from pydantic import Field

from triptych import domain
from triptych.domain import REGIMES, Prediction, Signal
from triptych.domain.signal import OF_LATE
from triptych.strategies.base import AbstractStrategy


class Shares(domain.Config):
    """Shares of a wish, from 0 to 1."""

    bull: float = Field(1.0, ge=0, le=1, description="Kept while prices rise.")
    bear: float = Field(1.0, ge=0, le=1, description="Kept while they fall.")
    sideways: float = Field(0.5, ge=0, le=1, description="Kept without a trend.")
    high_volatility: float = Field(0.5, ge=0, le=1, description="Kept while moves are far larger than they were.")
    low_liquidity: float = Field(0.0, ge=0, le=1, description="Kept while far less is traded than before.")


class OnSwitch(domain.Config):
    """What an alarm that the market has switched leads to."""

    hold: int = Field(
        0,
        ge=0,
        le=OF_LATE,
        description="Candles from an alarm on, its own the first, in which entries are held back; 0: alarms lead to "
        "nothing. What is held stays, and is left as ever.",
    )
    keep: float = Field(0.0, ge=0, le=1, description="Share of a wish that may still be entered meanwhile.")
    false_alarms: float = Field(
        1.0,
        gt=0,
        le=1000,
        description="Sets the threshold in training: so many alarms in 1,000 candles of the training segment in random "
        "order.",
    )


class Config(domain.Config):
    """How much of a wish is kept in each regime.

    A hidden Markov model of five regimes is fitted on the training segment of each fold, and stands in the artifact.
    """

    use: bool = Field(False, description="Whether regimes are told at all. A search for a network leaves them out.")
    memory: int = Field(
        480, ge=16, le=100_000, description="Candles that the regime at a close is told from, after the first 240."
    )
    keep: Shares = Field(Shares(), description="Share of the wanted exposure that is kept in each regime.")
    against: Literal["allow", "forbid"] = Field(
        "allow",
        description="`forbid`: no long position while bear is the likeliest regime, no short one while "
        "bull is. Trends are told less often than their rules hold; the card of an artifact says how often.",
    )
    unknown: float = Field(0.0, ge=0, le=1, description="Share that is kept while the regime is not known.")
    on_switch: OnSwitch = Field(OnSwitch(), description="What an alarm that the market has switched leads to.")


class RegimeStrategy(AbstractStrategy):
    """Asks the strategy inside and keeps the share of its target that the regimes allow on average.

    The probabilities come with the prediction; they are filtered ones, so that nothing later is known. So does the age
    of the last alarm of a switch: while it is young, nothing is entered beyond what is held and what may be kept.
    """

    def __init__(self, inside: AbstractStrategy, config: Config) -> None:
        self.config = config
        self._inside = inside

    def decide(self, prediction: Prediction, current_target: float) -> Signal:
        wish = self._inside.decide(prediction, current_target)
        share, why = self._share(wish, prediction.regimes)
        if wish.target != 0 and share != 1:
            wish = replace(wish, target=wish.target * share, reason=f"{wish.reason}; {why}")
        return self._held_back(wish, prediction.since_switch, current_target)

    def _held_back(self, wish: Signal, since: int, current_target: float) -> Signal:
        """The wish, no further than what is held where an alarm is young. A smaller one, or leaving, goes through."""
        rule = self.config.on_switch
        if wish.target == 0 or not 0 <= since < rule.hold:
            return wish
        held = abs(current_target) if current_target * wish.target > 0 else 0.0
        size = abs(wish.target)
        allowed = min(size, max(held, rule.keep * size))
        if allowed == size:
            return wish
        why = f"a switch of the market was told {since} candles ago: entries held back, {allowed:.2f} of {size:.2f}"
        return replace(
            wish, target=math.copysign(allowed, wish.target) if allowed else 0.0, reason=f"{wish.reason}; {why}"
        )

    def _share(self, wish: Signal, regimes: tuple[float, ...]) -> tuple[float, str]:
        if not regimes or not math.isfinite(sum(regimes)):
            return self.config.unknown, f"the regime is not known: {self.config.unknown:g} of it"
        found = dict(zip(REGIMES, regimes, strict=True))
        likeliest = max(found, key=lambda name: found[name])
        if self.config.against == "forbid" and likeliest == ("bear" if wish.target > 0 else "bull"):
            return 0.0, f"{likeliest} is the likeliest regime: nothing of it"
        share = sum(p * getattr(self.config.keep, name) for name, p in found.items())
        return min(share, 1.0), f"{likeliest} is the likeliest regime: {share:.2f} of it"
