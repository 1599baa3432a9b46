"""What a trade costs on the simulated exchange: fees, spread, slippage, market impact, funding, margin."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from pydantic import Field

from triptych import domain
from triptych.domain import Instrument, Side

HOUR_MS = 3_600_000
_BASIS_POINT = Decimal("0.0001")


class Config(domain.Config):
    """Costs and margin rules of the simulated exchange. The defaults resemble a linear perpetual of a large venue."""

    maker_fee: float = Field(
        default=0.0002,
        ge=-0.001,
        le=0.05,
        description="Fee of a fill that rested in the book, fraction of the notional.",
    )
    taker_fee: float = Field(
        default=0.00055,
        ge=0,
        le=0.05,
        description="Fee of a fill that took from the book (market, stop), fraction of notional.",
    )
    half_spread_bp: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        description="Half of the bid-ask spread in basis points of the price; paid by market orders.",
    )
    slippage_bp: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        description="Further slippage of market orders and stops, basis points of the price.",
    )
    impact: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description=(
            "Coefficient of the square-root law of market impact: impact * sigma * sqrt(order size / candle volume), a "
            "fraction of the price; sigma and volume are running means of the last 20 or so closed candles. 0 = none."
        ),
    )
    funding_rate: float = Field(
        default=0.0,
        ge=-0.05,
        le=0.05,
        description="Funding paid by longs to shorts at each funding time, fraction of the notional per interval.",
    )
    funding_interval_hours: int = Field(
        default=8, ge=1, le=24, description="Hours between funding times, counted from midnight UTC."
    )
    leverage: float = Field(
        default=1.0,
        ge=1,
        le=125,
        description="Leverage set for every position: margin posted = notional / leverage (isolated).",
    )
    market_price_cap: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="A market order is an immediate-or-cancel limit this far from the last price, as a fraction "
        "(Bybit: 0.03 to 0.05): beyond it nothing is filled and the order is cancelled. 0 = no cap.",
    )
    fill_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="The share of a candle's volume that one market order can take; the rest of the order is "
        "cancelled. 0 = no limit.",
    )
    maintenance_margin: float = Field(
        default=0.005,
        ge=0,
        lt=1,
        description="A position is liquidated when its equity falls below this fraction of its notional.",
    )


def decimal(value: float) -> Decimal:
    """The shortest decimal number that reads back as this float."""
    return Decimal(repr(float(value)))


class CostModel:
    """The numbers of a `Config` ready for arithmetic at the order border."""

    def __init__(self, config: Config) -> None:
        self.maker_fee = decimal(config.maker_fee)
        self.taker_fee = decimal(config.taker_fee)
        self.move = (decimal(config.half_spread_bp) + decimal(config.slippage_bp)) * _BASIS_POINT
        self.impact = config.impact
        self.funding_rate = decimal(config.funding_rate)
        self.funding_interval_ms = config.funding_interval_hours * HOUR_MS
        self.leverage = decimal(config.leverage)
        self.market_price_cap = decimal(config.market_price_cap)
        self.fill_share = decimal(config.fill_share)
        self.maintenance_margin = decimal(config.maintenance_margin)

    def fee_rate(self, is_maker: bool) -> Decimal:
        """Fee as a fraction of the notional."""
        return self.maker_fee if is_maker else self.taker_fee

    def market_price(self, instrument: Instrument, side: Side, reference: Decimal, impact: Decimal) -> Decimal:
        """Price of a fill that takes liquidity.

        The reference moved against us by half spread, slippage and impact (a fraction of the price), then rounded
        against us to the price step. A sale never goes below one step, nor above the reference where even one step is.
        """
        price = against_us(instrument, side, reference * (1 + side.sign * (self.move + impact)))
        return price if price > 0 else min(instrument.price_step, reference)


def against_us(instrument: Instrument, side: Side, price: Decimal) -> Decimal:
    """The price on the instrument's grid that is worse for us: up for a purchase, down for a sale."""
    steps = price / instrument.price_step
    rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
    return steps.to_integral_value(rounding) * instrument.price_step
