"""Sizing: how much of the equity a strategy's target is worth in one instrument."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from triptych import domain


class Config(domain.Config):
    """From a target between -1 and 1 to an exposure, that is signed notional / equity of the whole account."""

    method: Literal["fixed", "volatility"] = Field(
        default="fixed",
        description=(
            "fixed: a fixed share of the equity, split equally over the instruments. volatility: the share that makes "
            "every instrument contribute an equal part of the volatility target."
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
    half_life: int = Field(
        default=48, ge=2, le=2000, description="Method volatility: half-life of the estimate, in closed candles."
    )
    max_leverage: float = Field(
        default=1.0,
        gt=0,
        le=125,
        description="Exposure of all instruments together never exceeds this multiple of the equity.",
    )


class Sizer:
    """Turns targets into exposures. Pure: the volatility comes in as an argument."""

    def __init__(self, config: Config, n_instruments: int) -> None:
        self.needs_volatility = config.method == "volatility"
        self._fixed = min(config.capital_fraction, config.max_leverage) / n_instruments
        self._volatility_part = config.volatility_target / n_instruments
        self._limit = config.max_leverage / n_instruments
        self.max_leverage = config.max_leverage

    def exposure(self, target: float, volatility: float | None = None) -> float:
        """Wanted signed notional / equity of one instrument.

        Args:
            target: share of the instrument's part, from -1 to 1.
            volatility: of the instrument, a fraction per year; method volatility gives 0 where it is unknown, and the
                limit where it is 0.
        """
        if not self.needs_volatility:
            return target * self._fixed
        if volatility is None:
            return 0.0
        size = self._volatility_part / volatility if volatility > 0 else self._limit
        return target * min(size, self._limit)

    def cut_to_room(self, exposure: float, current: float, others: float) -> float:
        """The exposure cut so that it and the `others` (sum of absolute exposures) stay within the leverage limit.

        What is held already on the wanted side is never given up for lack of room.
        """
        room = max(self.max_leverage - others, 0.0)
        if exposure * current > 0:
            room = max(room, abs(current))
        return min(max(exposure, -room), room)
