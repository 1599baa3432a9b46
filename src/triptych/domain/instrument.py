"""What is traded and by which rules of price and quantity."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from triptych.domain.errors import OrderError


@dataclass(frozen=True, kw_only=True, slots=True)
class Instrument:
    """An instrument of a venue. Steps and limits are Decimal: they meet the order border."""

    symbol: str
    venue: str = "local"
    price_step: Decimal = Decimal("0.00000001")
    quantity_step: Decimal = Decimal("0.00000001")
    minimum_quantity: Decimal = Decimal(0)
    minimum_notional: Decimal = Decimal(0)
    maximum_leverage: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        if self.price_step <= 0 or self.quantity_step <= 0:
            raise OrderError(f"{self.symbol}: price and quantity steps must be above zero.")

    def round_price(self, price: float | Decimal) -> Decimal:
        """The nearest price on the instrument's grid."""
        return (Decimal(str(price)) / self.price_step).to_integral_value(ROUND_HALF_EVEN) * self.price_step

    def round_quantity(self, quantity: float | Decimal) -> Decimal:
        """The quantity cut down to the instrument's step: never more than asked."""
        return (Decimal(str(quantity)) / self.quantity_step).to_integral_value(ROUND_DOWN) * self.quantity_step
