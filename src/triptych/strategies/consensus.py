"""The strategy of several models: thresholds on what they say together, within what they allow, each vote on record."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from triptych.domain import Prediction, Signal
from triptych.inference import combiner
from triptych.strategies.base import AbstractStrategy


class Config(combiner.Config):
    """How the votes of the members become one decision."""

    on_dissent: Literal["keep", "flat"] = Field(
        default="keep",
        description="What to do with a position whose direction the members no longer allow: let the thresholds decide "
        "(keep), or leave (flat).",
    )
    size: Literal["full", "probability"] = Field(
        default="full",
        description="full: a direction is taken whole or not at all. probability: only the part that its probability "
        "p of being right deserves, 2 N(z) - 1 with z = (p - 1/2) / sqrt(p (1 - p)), nothing below 1/2; meant for "
        "method meta, whose p is the chance to be right after costs.",
    )


def bet_size(probability: float) -> float:
    """The part of a full position for a probability of being right, from 0 (up to 1/2) to 1.

    López de Prado 2018, section 10.3, for two outcomes: ``2 N(z) - 1`` with ``z = (p - 1/2) / sqrt(p (1 - p))``.
    """
    if probability <= 0.5:
        return 0.0
    if probability >= 1.0:
        return 1.0
    z = (probability - 0.5) / math.sqrt(probability * (1.0 - probability))
    return math.erf(z / math.sqrt(2.0))


class ConsensusStrategy(AbstractStrategy):
    """Asks another strategy about the joint prediction, and holds its answer against what the votes allow.

    1. A direction that is not held may be entered only where the prediction allows it; else flat.
    2. A direction that is held is kept as the inner strategy says; with `on_dissent = "flat"` only while it is allowed.
    3. With `size = "probability"` the target is the part that the direction's probability deserves.

    The reason names every vote.
    """

    def __init__(self, config: Config, inner: AbstractStrategy) -> None:
        self.config = config
        self._inner = inner

    def decide(self, prediction: Prediction, current_target: float) -> Signal:
        signal = self._inner.decide(prediction, math.copysign(1.0, current_target) if current_target else 0.0)
        target, reason = signal.target, signal.reason
        if target and prediction.allowed is not None and prediction.allowed * target <= 0:
            is_held = current_target * target > 0
            if not is_held or self.config.on_dissent == "flat":
                direction = "long" if target > 0 else "short"
                target, reason = 0.0, f"flat: the members do not allow {direction} ({reason})"
        if target and self.config.size == "probability" and prediction.is_usable:
            right = prediction.probability_buy if target > 0 else prediction.probability_sell
            part = bet_size(right)
            target, reason = target * part, f"{reason}; {part:.2f} of the full size"
        if prediction.votes:
            reason += f"; votes: {', '.join(vote.words for vote in prediction.votes)}"
        return Signal(symbol=signal.symbol, time_ms=signal.time_ms, target=target, reason=reason)
