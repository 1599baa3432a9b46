"""The venue's own books: cash, positions and margin of one account."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal

from triptych.domain import Candle, FillReason, Instrument, OrderFilled, Position, SubmitOrder
from triptych.exchanges.simulated.costs import CostModel, decimal
from triptych.exchanges.simulated.matching import liquidation_price

ZERO = Decimal(0)


@dataclass(slots=True)
class Market:
    """One instrument on the venue: its orders, its position with the prices that protect it, its running statistics."""

    instrument: Instrument
    position: Position
    mark: float = 0.0
    """Last known price: the open while a candle's orders are filled, then its close. 0 before the first candle."""
    last: Candle | None = None
    """The last candle seen."""
    waiting: list[SubmitOrder] = field(default_factory=list)
    protected_by: str = ""
    stop: float | None = None
    target: float | None = None
    liquidation: float | None = None
    lowest: float = -math.inf
    highest: float = math.inf
    """While all prices lie strictly between these two, neither stop, target nor liquidation is reached."""
    mean_range: float = 0.0
    mean_volume: float = 0.0

    def learn(self, candle: Candle) -> None:
        """Update the running means of the relative range and of the volume with a closed candle (weight 1/20)."""
        relative = (candle.high - candle.low) / candle.close
        if self.last is None:
            self.mean_range, self.mean_volume = relative, candle.volume
        else:
            self.mean_range += (relative - self.mean_range) / 20
            self.mean_volume += (candle.volume - self.mean_volume) / 20

    def watch(self) -> None:
        """Set the two prices between which nothing can happen to the position."""
        adverse = [x for x in (self.stop, self.liquidation) if x is not None]
        if self.position.quantity > 0:
            self.lowest = max(adverse, default=-math.inf)
            self.highest = math.inf if self.target is None else self.target
        else:
            self.lowest = -math.inf if self.target is None else self.target
            self.highest = min(adverse, default=math.inf)


class Account:
    """Cash and markets of one account; isolated margin, one-way positions.

    Cash is kept as a plain ledger of money in and out: a purchase takes price times quantity out of it, a sale brings
    it in (so it is negative while a leveraged long is open). Equity = cash + sum of quantity * mark.
    """

    def __init__(self, instruments: list[Instrument], costs: CostModel, initial_capital: Decimal) -> None:
        self.costs = costs
        self.cash = initial_capital
        self.markets = {
            instrument.symbol: Market(instrument=instrument, position=Position(symbol=instrument.symbol))
            for instrument in instruments
        }

    def equity(self) -> Decimal:
        """Cash and positions at their marks, quote currency."""
        return self.cash + sum(
            (m.position.quantity * decimal(m.mark) for m in self.markets.values() if m.position.quantity), ZERO
        )

    def margin(self, *, without: str = "") -> Decimal:
        """Margin that the positions bind at their marks, quote currency; `without` leaves one symbol out."""
        notional = sum(
            (
                abs(m.position.quantity) * decimal(m.mark)
                for symbol, m in self.markets.items()
                if m.position.quantity and symbol != without
            ),
            ZERO,
        )
        return notional / self.costs.leverage

    def margin_after(self, order: SubmitOrder) -> Decimal:
        """Margin bound at the marks once this order and every waiting one are filled, quote currency."""
        total = ZERO
        for symbol, market in self.markets.items():
            quantity = market.position.quantity
            for waiting in (*market.waiting, order):
                if waiting.symbol == symbol:
                    quantity += waiting.side.sign * waiting.quantity
            if quantity:
                total += abs(quantity) * decimal(market.mark)
        return total / self.costs.leverage

    def affordable(self, market: Market, price: Decimal, fee_rate: Decimal, kept: Decimal) -> Decimal:
        """The largest quantity (base units, cut to the step) that may be opened at `price`, at the present marks.

        After the fill the margin of all positions, with `kept` as what remains of this instrument's own position
        before the new part is added, must not exceed the equity that fee and price leave.
        """
        mark = decimal(market.mark)
        free = self.equity() - self.margin(without=market.instrument.symbol) - kept * mark / self.costs.leverage
        unit = mark / self.costs.leverage + abs(price - mark) + price * max(fee_rate, ZERO)
        return market.instrument.round_quantity(max(free, ZERO) / unit)

    def book(self, market: Market, fill: OrderFilled, order: SubmitOrder | None) -> None:
        """Enter a fill: cash, position, and the protection that the order asked for.

        An order that opens a position from flat or turns it sets the protection; one that adds replaces what it
        names; one that closes everything removes it.
        """
        before = market.position.quantity
        self.cash -= fill.side.sign * fill.quantity * fill.price + fill.fee
        market.position, _ = market.position.after(fill)
        after = market.position.quantity
        if not after:
            market.stop = market.target = market.liquidation = None
            market.protected_by = ""
            market.lowest, market.highest = -math.inf, math.inf
            return
        if order is not None and fill.reason is FillReason.ORDER and abs(after) > 0 and fill.side.sign * after > 0:
            is_new = before * after <= 0
            if is_new or order.stop_loss is not None:
                market.stop = None if order.stop_loss is None else float(order.stop_loss)
            if is_new or order.take_profit is not None:
                market.target = None if order.take_profit is None else float(order.take_profit)
            if is_new or order.stop_loss is not None or order.take_profit is not None:
                market.protected_by = order.order_id
        level = liquidation_price(
            after, market.position.entry_price, self.costs.leverage, self.costs.maintenance_margin
        )
        market.liquidation = None if level is None else float(level)
        market.watch()
