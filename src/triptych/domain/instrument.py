"""What is traded and by which rules of price and quantity."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from triptych.domain.errors import OrderError


@dataclass(frozen=True, kw_only=True, slots=True)
class Instrument:
    """An instrument of a venue. Steps and limits are Decimal: they meet the order border.

    `maximum_quantity` and `maximum_market_quantity` are of one limit and one market order; None: no limit is known.
    """

    symbol: str
    venue: str = "local"
    price_step: Decimal = Decimal("0.00000001")
    quantity_step: Decimal = Decimal("0.00000001")
    minimum_quantity: Decimal = Decimal(0)
    minimum_notional: Decimal = Decimal(0)
    maximum_leverage: Decimal = Decimal(1)
    maximum_quantity: Decimal | None = None
    maximum_market_quantity: Decimal | None = None

    def __post_init__(self) -> None:
        if self.price_step <= 0 or self.quantity_step <= 0:
            raise OrderError(f"{self.symbol}: price and quantity steps must be above zero.")

    def largest_order(self, *, is_market: bool) -> Decimal | None:
        """The most that one order may ask for, on the step; None: no limit is known."""
        most = self.maximum_market_quantity if is_market else self.maximum_quantity
        rounded = None if most is None else self.round_quantity(most)
        return rounded if rounded else None

    def slices(self, quantity: Decimal) -> list[Decimal]:
        """What a market order asks for, as orders that the venue takes: each at most its largest, none too small.

        What is no multiple of the step, as of a position that is older than the step, comes last and by itself: the
        venue may refuse it, and must not refuse all.
        """
        odd = quantity % self.quantity_step
        if odd and quantity > odd:
            return [*self.slices(quantity - odd), odd]
        most = self.largest_order(is_market=True)
        if most is None or quantity <= most:
            return [quantity]
        whole, rest = divmod(quantity, most)
        found = [most] * int(whole)
        if not rest:
            return found
        lacking = max(min(self.minimum_quantity, most) - rest, Decimal(0))
        found[-1] -= lacking
        return [*found, rest + lacking]

    def round_price(self, price: float | Decimal) -> Decimal:
        """The nearest price on the instrument's grid."""
        return (Decimal(str(price)) / self.price_step).to_integral_value(ROUND_HALF_EVEN) * self.price_step

    def round_quantity(self, quantity: float | Decimal) -> Decimal:
        """The quantity cut down to the instrument's step: never more than asked."""
        return (Decimal(str(quantity)) / self.quantity_step).to_integral_value(ROUND_DOWN) * self.quantity_step
