"""Sizing: how much of the equity a strategy's target is worth in one instrument."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from triptych import domain
from triptych.domain import Prediction
from triptych.trading import kelly as kelly_


class Config(domain.Config):
    """From a target between -1 and 1 to an exposure, that is signed notional / equity of the whole account."""

    method: Literal["fixed", "volatility", "kelly"] = Field(
        default="fixed",
        description=(
            "fixed: a fixed share of the equity, split equally over the instruments. volatility: the share that makes "
            "every instrument contribute an equal part of the volatility target. kelly: a fraction of the share that "
            "lets the equity grow fastest if the probabilities are right, see sizing.kelly."
        ),
    )
    capital_fraction: float = Field(
        default=0.99,
        gt=0,
        le=125,
        description=(
            "Method fixed: exposure of all instruments together at full targets, as a fraction of the equity. The "
            "little below 1 pays fees and covers a price that moves against us before the order is filled."
        ),
    )
    volatility_target: float = Field(
        default=0.2,
        gt=0,
        le=10,
        description="Method volatility: volatility per year aimed at, as a fraction (0.2 = 20 %).",
    )
    volatility: Literal["measured", "foretold"] = Field(
        default="measured",
        description=(
            "Methods volatility and kelly: which volatility they reckon with. measured: that of the last closes. "
            "foretold: what the model foretells, see training.tasks.names; a stand-in that foretells none is sized by "
            "the measured one."
        ),
    )
    half_life: int = Field(
        default=48, ge=2, le=2000, description="Methods volatility and kelly: half-life of the volatility, in candles."
    )
    kelly: kelly_.Config = Field(default=kelly_.Config(), description="Method kelly: what the share is reckoned on.")
    max_leverage: float = Field(
        default=1.0,
        gt=0,
        le=125,
        description="Exposure of all instruments together never exceeds this multiple of the equity.",
    )


class Sizer:
    """Turns targets into exposures. Pure: prediction and volatility come in as arguments.

    Attributes:
        needs_volatility: unit of the volatility that `exposure` must be given: per year, per candle, or none at all.
        needs_prediction: whether `exposure` must be given the prediction.
        is_foretold: whether that volatility is to be the one that the model foretells.

    Raises OrderError for method kelly with something missing in its config.
    """

    def __init__(self, config: Config, n_instruments: int) -> None:
        if config.method == "kelly" and config.kelly.missing:
            raise kelly_.unknown(config.kelly.missing)
        units: dict[str, Literal["", "year", "candle"]] = {"fixed": "", "volatility": "year", "kelly": "candle"}
        self.needs_volatility = units[config.method]
        self.needs_prediction = config.method == "kelly"
        self.is_foretold = config.volatility == "foretold"
        self._kelly = config.kelly
        self._n = n_instruments
        self._fixed = min(config.capital_fraction, config.max_leverage) / n_instruments
        self._volatility_part = config.volatility_target / n_instruments
        self._limit = config.max_leverage / n_instruments
        self.max_leverage = config.max_leverage

    def exposure(self, target: float, volatility: float | None = None, prediction: Prediction | None = None) -> float:
        """Wanted signed notional / equity of one instrument.

        Args:
            target: share of the instrument's part, from -1 to 1.
            volatility: of the instrument, in the unit of `needs_volatility`. Where it is needed, the exposure is 0
                while it is unknown (None or not a number), and where it is 0: a price that stands still has stopped
                trading, and says nothing of how it will move.
            prediction: that led to the target; method kelly gives 0 without a usable one. Instruments share what is
                staked, as if all of them moved together.
        """
        if target == 0.0 or not self.needs_volatility:
            return target * self._fixed
        if volatility is None or not 0.0 < volatility < math.inf:
            return 0.0
        if self.needs_prediction:
            if prediction is None or not prediction.is_usable:
                return 0.0
            size = kelly_.stake(self._kelly, prediction, 1 if target > 0 else -1, volatility) / self._n
        else:
            size = self._volatility_part / volatility
        return target * min(size, self._limit)

    def cut_to_room(self, exposure: float, current: float, others: float) -> float:
        """The exposure cut so that it and the `others` (sum of absolute exposures) stay within the leverage limit.

        What is held already on the wanted side is never given up for lack of room.
        """
        room = max(self.max_leverage - others, 0.0)
        if exposure * current > 0:
            room = max(room, abs(current))
        return min(max(exposure, -room), room)
