"""Which instruments are there, and what each is like: fixed by its name alone, whatever the seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from triptych.domain import Instrument
from triptych.market.synthetic.streams import stream, uniforms

_WORDS: Final = (
    "ALFA BRAVO CHARLIE DELTA ECHO FOXTROT GOLF HOTEL INDIA JULIETT KILO LIMA MIKE "
    "NOVEMBER OSCAR PAPA QUEBEC ROMEO SIERRA TANGO UNIFORM VICTOR WHISKEY XRAY YANKEE ZULU"
)
NAMES: Final = tuple(f"{word}-USDT" for word in _WORDS.split())
"""Invented symbols, from the spelling alphabet: none is traded anywhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What distinguishes one instrument from another.

    Attributes:
        instrument: symbol, steps and limits.
        first_price: open of the first candle, in quote currency.
        price_decimals, quantity_decimals: digits behind the point; the steps are powers of ten.
        volatility: multiplier of the market's volatility, about 0.85 to 1.2.
        coupling: multiplier of the market's correlation, 0.85 to 1.1.
        daily_turnover: quote currency traded on an ordinary day.
    """

    instrument: Instrument
    first_price: float
    price_decimals: int
    quantity_decimals: int
    volatility: float
    coupling: float
    daily_turnover: float


def profile(symbol: str) -> Profile:
    """The profile of `symbol`: prices from 0.3 to 30,000 with one to ten million price steps in the first price."""
    price_draw, volatility_draw, coupling_draw, turnover_draw = uniforms(stream(0, "profile", symbol), 4).tolist()
    exponent = -0.5 + 5.0 * price_draw
    magnitude = math.floor(exponent)
    first_price = round(10.0**exponent, 2 - magnitude)
    price_decimals = 6 - magnitude
    quantity_decimals = max(0, magnitude + 1)
    quantity_step = Decimal(1).scaleb(-quantity_decimals)
    return Profile(
        instrument=Instrument(
            symbol=symbol,
            venue="synthetic",
            price_step=Decimal(1).scaleb(-price_decimals),
            quantity_step=quantity_step,
            minimum_quantity=quantity_step,
            minimum_notional=Decimal(5),
            maximum_leverage=Decimal(10),
        ),
        first_price=first_price,
        price_decimals=price_decimals,
        quantity_decimals=quantity_decimals,
        volatility=math.exp(-0.17 + 0.34 * volatility_draw),
        coupling=0.85 + 0.25 * coupling_draw,
        daily_turnover=10.0 ** (7.0 + 1.5 * turnover_draw),
    )
