"""The Kelly share of a decision that ends in a gain, a loss or nothing, each time after costs."""

from __future__ import annotations

import math
from typing import Self

from pydantic import Field, model_validator

from triptych import domain
from triptych.domain import Prediction
from triptych.domain.errors import OrderError


class Config(domain.Config):
    """How much of the Kelly share is staked, and on which gains, losses and costs it is reckoned."""

    fraction: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="Part of the full Kelly share that is staked. The full share is right only for probabilities that "
        "are; half of it forgoes a quarter of the growth for half of the swings.",
    )
    shrinkage: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="How far probabilities are drawn to the base rates before they count: 0 believes the model, 1 "
        "ignores it.",
    )
    base_rates: tuple[float, float, float] | None = Field(
        default=None,
        description="Probabilities of sell, hold and buy of one who knows nothing. Empty: the shares of the classes "
        "among the labels the model was trained on.",
    )
    horizon: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="Candles in which a decision turns out right or wrong. Empty: target.horizon.",
    )
    gain: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="Return of a decision that was right, in volatilities of the instrument over the horizon.",
    )
    loss: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="Loss of a decision that was wrong, in volatilities of the instrument over the horizon.",
    )
    cost: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Fees, spread and slippage of entering and leaving, a fraction of the notional; paid each time. "
        "Empty: by [costs] and execution.entry.",
    )
    cap: float = Field(
        default=1.0,
        gt=0,
        le=125,
        description="Most that is staked on one decision, a multiple of the equity, before instruments share it.",
    )

    @model_validator(mode="after")
    def _base_rates_are_probabilities(self) -> Self:
        if self.base_rates is None:
            return self
        if min(self.base_rates) < 0 or abs(sum(self.base_rates) - 1) > 1e-6:
            raise ValueError(f"base_rates must be three probabilities with sum 1, were {list(self.base_rates)}")
        return self

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of what must be filled in before anything can be staked."""
        return tuple(name for name in ("base_rates", "horizon", "cost") if getattr(self, name) is None)


def unknown(names: tuple[str, ...]) -> OrderError:
    """What is wrong with staking by a config in which something is missing."""
    return OrderError(
        f"Sizing by Kelly does not know its {', '.join(names)}.",
        remedy="Set them in sizing.kelly; runs fill them in from their recipe and training.",
    )


def kelly_share(*, right: float, wrong: float, gain: float, loss: float, cost: float) -> float:
    """The share of the equity that lets it grow fastest (Kelly 1956), 0 where the edge does not cover the costs.

    It maximises E[log(1 + share * return)], the return being gain - cost with probability `right`, -(loss + cost) with
    probability `wrong`, and -cost with the rest. Without costs, and with right + wrong = 1, it is the familiar
    (right * gain - wrong * loss) / (gain * loss).

    Args:
        right, wrong: probabilities, together at most 1.
        gain, loss, cost: positive fractions of the notional.

    Returns:
        The share as a multiple of the equity, from 0 to 1 / (loss + cost): never more than a loss would wipe out, even
        where `wrong` is 0.
    """
    up, down = gain - cost, loss + cost
    idle = max(1.0 - right - wrong, 0.0)
    edge = right * up - wrong * down - idle * cost
    if up <= 0 or edge <= 0:
        return 0.0
    # The derivative of the growth is a fraction whose numerator is  curve * share^2 - slope * share + edge.
    curve = up * down * cost
    slope = right * up * (down + cost) + wrong * down * (up - cost) + idle * cost * (up - down)
    below = slope + math.sqrt(max(slope * slope - 4 * curve * edge, 0.0))
    return 2 * edge / below  # the slope is above zero wherever the edge is


def stake(config: Config, prediction: Prediction, sign: int, volatility: float) -> float:
    """What to stake on one side of a prediction, a multiple of the equity from 0 to `config.cap`.

    Args:
        config: see there; nothing may be missing.
        prediction: usable probabilities.
        sign: 1 to buy, -1 to sell.
        volatility: standard deviation of a candle's log return.

    Raises OrderError where something is missing.
    """
    if config.base_rates is None or config.horizon is None or config.cost is None:
        raise unknown(config.missing)
    sell, _, buy = (
        base + (1 - config.shrinkage) * (said - base)
        for base, said in zip(
            config.base_rates,
            (prediction.probability_sell, prediction.probability_hold, prediction.probability_buy),
            strict=True,
        )
    )
    move = volatility * math.sqrt(config.horizon)
    full = kelly_share(
        right=buy if sign > 0 else sell,
        wrong=sell if sign > 0 else buy,
        gain=config.gain * move,
        loss=config.loss * move,
        cost=config.cost,
    )
    return min(config.fraction * full, config.cap)
