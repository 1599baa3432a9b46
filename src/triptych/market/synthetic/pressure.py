"""The hidden pressure: what a chart shows at any `signal`, and what moves the price only as far as `signal` says.

Each instrument is under buying pressure (+1), selling pressure (-1) or none (0). The state shapes the wicks, the volume
and the order book of its candles at once. The drift follows `lag` candles later and is multiplied by `signal`: at 0 the
same pictures are drawn and mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.market.synthetic.spells import markov_chain
from triptych.market.synthetic.streams import stream


class Config(BaseConfig):
    """How long pressure lasts, how it looks and how hard it pushes."""

    mean_duration: float = Field(
        default=36.0,
        ge=2,
        description="Mean length of a spell of buying, selling or no pressure, in candles (geometric).",
    )
    neutral_share: float = Field(
        default=0.25, ge=0, le=0.5, description="Share of time without pressure, as a fraction."
    )
    lag: int = Field(
        default=6,
        ge=0,
        le=1000,
        description="Candles between the first candle that shows a pressure and the first it can push.",
    )
    strength: float = Field(
        default=0.25,
        ge=0,
        le=2,
        description="Drift per candle under pressure at signal 1, in multiples of the candle's volatility.",
    )
    wick_bias: float = Field(
        default=0.9,
        ge=0,
        le=1,
        description="How one-sided probes of the price are under pressure: 0 as often up as down, 1 always against "
        "the pressure, which leaves its wick there.",
    )
    volume_tilt: float = Field(
        default=0.7,
        ge=0,
        le=2,
        description="Log volume that candles in the direction of the pressure gain and candles against it lose.",
    )
    book_tilt: float = Field(
        default=0.4,
        ge=0,
        le=2,
        description="Log depth that the pressing side of the order book gains and the other side loses.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Pressure:
    """Both faces of the hidden state, int8 arrays of shape (n_candles,) with values -1, 0 and 1.

    Attributes:
        visible: the state that shapes the candle.
        acting: the state that pushes the candle's return, visible `lag` candles before.
    """

    visible: NDArray[np.int8]
    acting: NDArray[np.int8]


def draw_pressure(config: Config, seed: int, symbol: str, n: int) -> Pressure:
    """Draw the pressure of one instrument; stationary from the first candle on, buying and selling alike."""
    side = (1.0 - config.neutral_share) / 2.0
    to_neutral = config.neutral_share / (1.0 - config.neutral_share)
    chain = markov_chain(
        stream(seed, "pressure", symbol), n + config.lag,
        first=(side, config.neutral_share, side),
        mean_duration=(config.mean_duration,) * 3,
        jump=((0.0, to_neutral, 1.0 - to_neutral), (0.5, 0.0, 0.5), (1.0 - to_neutral, to_neutral, 0.0)),
    )  # fmt: skip
    chain = (chain - 1).astype(np.int8)
    return Pressure(visible=chain[config.lag :], acting=chain[:n])
