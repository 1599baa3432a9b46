"""How large a shape must be, and how exact, to be called a chart pattern."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from triptych.domain import Config as BaseConfig


class Config(BaseConfig):
    """Sources of extrema and tolerances. The unit of a tolerance is ATR times the scale of the extrema."""

    scales: tuple[float, ...] = Field(
        (2.0, 3.5),
        description="Reversals, in ATR, that confirm a pivot: one zigzag each, so that small and large patterns are "
        "seen. Empty uses the kernel's extrema alone.",
    )
    windows: tuple[int, ...] = Field(
        (35,), description="Candles of each window smoothed by a kernel (l of Lo, Mamaysky and Wang). Empty: none."
    )
    delay: int = Field(3, ge=1, le=100, description="Candles that must follow the kernel's last extremum (d in LMW).")
    bandwidth_share: float = Field(
        0.3, gt=0, le=2, description="Share of the cross-validated bandwidth that is used (0.3 in LMW)."
    )
    unit: Literal["atr", "percent"] = Field(
        "atr",
        description="`atr`: tolerances are in ATR times the scale. `percent`: hundredths of the price, as in LMW.",
    )
    atr_period: int = Field(14, ge=2, le=1000, description="Candles of Wilder's average true range.")
    tolerance: float = Field(
        0.35,
        gt=0,
        le=10,
        description="How far equal prices may lie from their mean, and touches from their line, units.",
    )
    prominence: float = Field(
        0.4, ge=0, le=20, description="Least height of a head above its shoulders, units; 0 as in LMW."
    )
    slope: float = Field(
        0.7, gt=0, le=20, description="Least rise or fall of a border over the pattern to count as sloping, units."
    )
    contraction: float = Field(
        0.65, gt=0, lt=1, description="Greatest width at the end of triangle, wedge, pennant as a share of the start."
    )
    balance: float = Field(
        3.0, ge=1, le=100, description="Greatest ratio of the two halves of a head and shoulders, in candles."
    )
    separation: int = Field(
        10, ge=1, le=1000, description="Least candles between the extremes of a double (22 in LMW)."
    )
    depth: float = Field(1.5, gt=0, le=50, description="Least depth of the valley of a double top, units.")
    pole: float = Field(5.0, gt=0, le=100, description="Least height of a flagpole in ATR, whatever the scale.")
    pole_speed: float = Field(0.45, gt=0, le=10, description="Least height of a flagpole in ATR a candle.")
    retracement: float = Field(
        0.5, gt=0, le=1, description="Greatest share of the pole that its flag or pennant gives back."
    )
    cup_length: int = Field(20, ge=5, le=5000, description="Least candles between the rims of a cup.")
    handle: float = Field(
        1 / 3, gt=0, le=1, description="Greatest depth of the handle as a share of the cup's (a third, after O'Neil)."
    )
    roundness: float = Field(0.7, ge=0, le=1, description="Least R² of a parabola through the closes of a cup.")
    longest: int = Field(250, ge=20, le=5000, description="Greatest length of a pattern in candles.")
    shortest: int = Field(14, ge=2, le=1000, description="Least candles from the first extremum to the last.")
    least_height: float = Field(
        5.5, ge=0, le=1000, description="Least height of a pattern's box in ATR, whatever the scale; 0 takes all."
    )
    least_closeness: float = Field(
        0.4,
        ge=0,
        le=1,
        description="Least closeness to the exact shape of a pattern that is reported; 0 takes all within tolerances.",
    )
    overlap: float = Field(
        0.5, gt=0, le=1, description="A detection that shares this much time (IoU) with one reported is not repeated."
    )
