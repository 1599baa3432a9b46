"""Where stop and target of each position should lie at the venue: those of the side that is held, and of no other.

What an order brings along counts from its first fill on, for the side that it trades to. A turn is two orders that may
be filled in part, cut off, refused, or told of in any order: so both sides are kept while orders are under way, and the
sign of the position picks one. Pure: no clock, no input or output.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from triptych.domain import FillReason, OrderFilled, Side, SubmitOrder

Protection = tuple[Decimal | None, Decimal | None]
"""Stop and target, prices; None: nowhere."""
Sides = dict[str, dict[Side, Protection]]
"""By symbol, the protection of a long (buy) and of a short (sell)."""
NOTHING: Protection = (None, None)


class Protections:
    """Stops and targets of all instruments."""

    def __init__(self, sides: Mapping[str, Mapping[Side, Protection]] | None = None) -> None:
        """Begin with what `sides` remembers."""
        self._sides: Sides = {symbol: dict(known) for symbol, known in (sides or {}).items()}
        self._waiting: dict[str, SubmitOrder] = {}
        """Orders of which nothing has been filled, by id."""

    @property
    def sides(self) -> Sides:
        """All there is to remember, for the journal; what orders bring along stands in the orders."""
        return {symbol: dict(known) for symbol, known in self._sides.items()}

    def of(self, symbol: str, quantity: Decimal) -> Protection:
        """Stop and target of a position of this signed quantity."""
        side = _side(quantity)
        return NOTHING if side is None else self._sides.get(symbol, {}).get(side, NOTHING)

    def track(self, order: SubmitOrder) -> None:
        """Follow an order of which nothing has been filled yet."""
        if order.stop_loss is not None or order.take_profit is not None:
            self._waiting[order.order_id] = order

    def filled(self, fill: OrderFilled) -> None:
        """Note a fill; the first of an order brings the order's stop and target."""
        if fill.reason is not FillReason.ORDER:
            return
        order = self._waiting.pop(fill.order_id, None)
        if order is not None:
            known = self._sides.setdefault(order.symbol, {})
            stop, target = known.get(order.side, NOTHING)
            known[order.side] = (
                stop if order.stop_loss is None else order.stop_loss,
                target if order.take_profit is None else order.take_profit,
            )

    def move(self, symbol: str, quantity: Decimal, stop_loss: Decimal) -> None:
        """Put the stop of the position that is held elsewhere."""
        self.put(symbol, quantity, (stop_loss, self.of(symbol, quantity)[1]))

    def put(self, symbol: str, quantity: Decimal, protection: Protection) -> None:
        """Put stop and target of the position that is held."""
        side = _side(quantity)
        if side is not None:
            self._sides.setdefault(symbol, {})[side] = protection

    def forget(self, symbol: str, quantity: Decimal) -> None:
        """No order is under way in an instrument: what is not the held side's is no more."""
        self._waiting = {name: order for name, order in self._waiting.items() if order.symbol != symbol}
        side, known = _side(quantity), self._sides.pop(symbol, {})
        if side in known:
            self._sides[symbol] = {side: known[side]}


def _side(quantity: Decimal) -> Side | None:
    """The side that a signed quantity was traded to; None when flat."""
    return None if not quantity else Side.BUY if quantity > 0 else Side.SELL
