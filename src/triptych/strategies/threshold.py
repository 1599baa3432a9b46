"""The strategy of thresholds: enter when the model is sure enough, leave when it no longer is.

Where the model foretells more than the direction, a position may also have to be worth its costs to be opened.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from triptych import domain
from triptych.domain import Prediction, Signal
from triptych.domain.errors import OrderError
from triptych.strategies.base import AbstractStrategy


class Config(domain.Config):
    """From class probabilities to a position. Leaving takes less than entering asks for: that is the hysteresis."""

    score: Literal["probability", "edge"] = Field(
        default="probability",
        description=(
            "What is held against the thresholds: the probability of a direction, or the edge, that is its probability "
            "less that of the opposite direction."
        ),
    )
    enter: float = Field(
        default=0.45, ge=0, le=1, description="A position is opened when the score of its direction is at least this."
    )
    exit: float = Field(
        default=0.35, ge=-1, le=1, description="A position is kept while the score of its direction is at least this."
    )
    margin: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Least lead of a direction's probability over the opposite one to enter it.",
    )
    allow_long: bool = Field(default=True, description="Whether to buy.")
    allow_short: bool = Field(default=True, description="Whether to sell short.")
    on_hold: Literal["keep", "flat"] = Field(
        default="keep",
        description=(
            "What to do with a position when `hold` is the likeliest class: let the thresholds decide (keep), or leave "
            "(flat)."
        ),
    )

    expected_move: Literal["none", "size", "volatility"] = Field(
        default="none",
        description=(
            "The foretold move that must pay for its costs before a position is opened. size: the return that the "
            "model foretells. volatility: the lead of the direction's probability over the opposite one, times the "
            "volatility that the model foretells over the horizon. See training.tasks.names."
        ),
    )
    cost_multiple: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        description="Least expected move of a position that is opened, in costs of entering and leaving.",
    )
    cost: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Costs of entering and leaving, a fraction of the notional. Empty: by [costs] and execution.entry.",
    )

    @model_validator(mode="after")
    def _exit_is_not_above_enter(self) -> Config:
        if self.exit > self.enter:
            raise ValueError(f"exit ({self.exit}) must not be above enter ({self.enter})")
        return self


class ThresholdStrategy(AbstractStrategy):
    """Fully long, fully short or flat, by thresholds with hysteresis.

    With s, h, b the probabilities of sell, hold and buy, the score of long is b (score `probability`) or b - s (score
    `edge`); that of short is s or s - b. In this order:

    1. A probability that is not a number: flat.
    2. A direction may be entered when it is allowed, its score is at least `enter`, and its probability leads the
       opposite one by at least `margin`. If both may be entered the higher score wins; at equal scores neither.
       With `expected_move` a direction that is not held must also promise a move of `cost_multiple` times `cost` or
       more; one that a model does not foretell promises nothing.
    3. If a direction may be entered, it is the target: from flat, from the opposite side (the position is turned), or
       because it is held already.
    4. A position that is not confirmed so is kept while its direction is allowed, its score is at least `exit`, and,
       with `on_hold = "flat"`, h is not above both s and b. Otherwise it is left.
    5. Otherwise flat.

    Raises OrderError for an `expected_move` whose cost is not known.
    """

    def __init__(self, config: Config) -> None:
        if config.expected_move != "none" and config.cost is None:
            raise OrderError(
                "A strategy by the expected move does not know its cost.",
                remedy="Set strategy.cost; runs fill it in from their recipe.",
            )
        self.config = config
        self._least = config.cost_multiple * (config.cost or 0.0)
        self._edge = config.score == "edge"

    def decide(self, prediction: Prediction, current_target: float) -> Signal:
        target, reason = self._target(prediction, current_target)
        return Signal(symbol=prediction.symbol, time_ms=prediction.time_ms, target=target, reason=reason)

    def _target(self, prediction: Prediction, current: float) -> tuple[float, str]:
        config = self.config
        sell, hold, buy = prediction.probability_sell, prediction.probability_hold, prediction.probability_buy
        if not math.isfinite(sell + hold + buy):
            return 0.0, "flat: the prediction is not a number"
        long, short = (buy - sell, sell - buy) if self._edge else (buy, sell)
        sure_long, sure_short = config.allow_long and long >= config.enter, config.allow_short and short >= config.enter
        may_long, may_short = sure_long and buy - sell >= config.margin, sure_short and sell - buy >= config.margin
        too_close = (sure_long or sure_short) and not (may_long or may_short)
        if may_long and may_short:
            may_long, may_short = long > short, short > long
        unpaid, promise = "", ""
        sign = 1 if may_long else -1 if may_short else 0
        if sign and config.expected_move != "none" and current * sign <= 0:
            move = self._expected(prediction, sign)
            promise = f"expected move {move:.3%} by {config.expected_move}, {self._least:.3%} asked for"
            if move < self._least:
                unpaid, sign = f"; {'long' if sign > 0 else 'short'} is not worth its costs: {promise}", 0
        told = f"; {promise}" if promise else ""
        if sign > 0:
            return 1.0, f"long: buy {config.score} {long:.3f} >= enter {config.enter:g}{told}"
        if sign < 0:
            return -1.0, f"short: sell {config.score} {short:.3f} >= enter {config.enter:g}{told}"
        if current == 0:
            why = self._lead(buy - sell, sure_long, sure_short) if too_close else "none may be entered"
            said = f"flat: buy {config.score} {long:.3f}, sell {config.score} {short:.3f}"
            return 0.0, f"{said}: {why}{unpaid}"
        target, reason = self._without_entry(prediction, current, long, short)
        return target, reason + unpaid

    def _lead(self, lead: float, sure_long: bool, sure_short: bool) -> str:
        """Why a direction whose score suffices may not be entered: its lead over the opposite one does not."""
        is_long = sure_long and (lead >= 0 or not sure_short)
        first, other, lead = ("buy", "sell", lead) if is_long else ("sell", "buy", -lead)
        return f"{first} leads {other} by {lead:.3f} < margin {self.config.margin:g}"

    def _expected(self, prediction: Prediction, sign: int) -> float:
        """The foretold move in a direction, a fraction of the price; 0 where the model foretells none."""
        by_size, told = self.config.expected_move == "size", prediction.foretold
        figure = None if told is None else told.size if by_size else told.volatility
        if figure is None or not math.isfinite(figure):
            return 0.0
        if by_size:
            return sign * figure
        return sign * (prediction.probability_buy - prediction.probability_sell) * figure

    def _without_entry(self, prediction: Prediction, current: float, long: float, short: float) -> tuple[float, str]:
        """What becomes of a position when no direction may be entered."""
        config, hold = self.config, prediction.probability_hold
        sell, buy = prediction.probability_sell, prediction.probability_buy
        name, score, allowed = (
            ("long", long, config.allow_long) if current > 0 else ("short", short, config.allow_short)
        )
        if not allowed:
            return 0.0, f"leave {name}: this direction is not allowed"
        if score < config.exit:
            return 0.0, f"leave {name}: {config.score} {score:.3f} < exit {config.exit:g}"
        if config.on_hold == "flat" and hold > buy and hold > sell:
            return 0.0, f"leave {name}: hold {hold:.3f} is the likeliest class"
        return (1.0 if current > 0 else -1.0), f"keep {name}: {config.score} {score:.3f} >= exit {config.exit:g}"
