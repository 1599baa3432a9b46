"""A position: signed quantity and average entry price, changed only by fills."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from triptych.domain.order import OrderFilled

ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """`quantity` above zero is long, below zero short; `entry_price` is the average price of what is open."""

    symbol: str
    quantity: Decimal = ZERO
    entry_price: Decimal = ZERO

    def after(self, fill: OrderFilled) -> tuple[Position, Decimal]:
        """The position after a fill and the profit it realised in quote currency, before fees."""
        change = fill.quantity * fill.side.sign
        quantity = self.quantity + change
        if self.quantity * change >= 0:
            cost = abs(self.quantity) * self.entry_price + fill.quantity * fill.price
            entry = cost / abs(quantity) if quantity else ZERO
            return replace(self, quantity=quantity, entry_price=entry), ZERO
        closed = min(abs(self.quantity), fill.quantity)
        direction = 1 if self.quantity > 0 else -1
        realised = closed * (fill.price - self.entry_price) * direction
        if quantity == 0:
            entry = ZERO
        elif quantity * self.quantity > 0:
            entry = self.entry_price
        else:
            entry = fill.price
        return replace(self, quantity=quantity, entry_price=entry), realised

    def unrealised(self, price: Decimal) -> Decimal:
        """Profit in quote currency if the position were closed at `price`."""
        return self.quantity * (price - self.entry_price)
