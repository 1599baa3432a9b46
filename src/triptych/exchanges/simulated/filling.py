"""How much of an order is filled, at which price: what the book, the position and the margin allow."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

from triptych.domain import Candle, ExchangeEvent, FillReason, OrderCancelled, OrderFilled, Side, SubmitOrder
from triptych.exchanges.simulated.account import ZERO, Account, Market
from triptych.exchanges.simulated.costs import CostModel, against_us, decimal
from triptych.exchanges.simulated.happenings import cancelled
from triptych.exchanges.simulated.matching import Exit

PARKINSON = 2 * math.sqrt(math.log(2))


class Filler:
    """Fills orders, books the fills on the account and tells of them, appended to `events`.

    Attributes:
        given: fills so far; their ids count on.
    """

    def __init__(self, account: Account, costs: CostModel) -> None:
        self._account, self._costs = account, costs
        self.given = 0

    def at_market(
        self, market: Market, order: SubmitOrder, candle: Candle, time_ms: int, events: list[ExchangeEvent]
    ) -> None:
        """Fill a market order at the open of a candle, moved against us; what the book does not give is cancelled."""
        reference = decimal(candle.open)
        price = self._costs.market_price(market.instrument, order.side, reference, self._impact(market, order.quantity))
        reachable, why = self._reachable(market, order, price, candle)
        if reachable == order.quantity:
            self._fill_order(market, order, price, reference, False, time_ms, events)
            return
        if reachable:
            self._fill_order(market, replace(order, quantity=reachable), price, reference, False, time_ms, events)
        if not (events and isinstance(events[-1], OrderCancelled) and events[-1].order_id == order.order_id):
            text = f"{order.quantity - reachable} of {order.quantity} not filled: {why}"
            events.append(cancelled(order, time_ms, text))

    def at_limit(
        self, market: Market, order: SubmitOrder, price: float, time_ms: int, events: list[ExchangeEvent]
    ) -> None:
        """Fill a resting order at its limit, or at the open that has passed it."""
        reference = decimal(price)
        rounded = against_us(market.instrument, order.side, reference)
        self._fill_order(market, order, rounded, reference, True, time_ms, events)

    def out_of(self, market: Market, out: Exit, time_ms: int, events: list[ExchangeEvent]) -> None:
        """Close the whole position at its stop, its liquidation or its target."""
        held = market.position.quantity
        side, quantity = Side.SELL if held > 0 else Side.BUY, abs(held)
        moved = out.reason is FillReason.STOP_LOSS and market.stop_moved
        reason = FillReason.TRAILING_STOP if moved else out.reason
        price = reference = decimal(out.reference)
        if not out.is_maker:
            price = self._costs.market_price(market.instrument, side, reference, self._impact(market, quantity))
        self._fill(
            market, None, market.protected_by, side, quantity, price, reference, out.is_maker, time_ms, events, reason
        )

    def _reachable(self, market: Market, order: SubmitOrder, price: Decimal, candle: Candle) -> tuple[Decimal, str]:
        """How much of a market order the book gives: within the price cap, and no more than its share of the volume."""
        last = market.last
        cap, share = self._costs.market_price_cap, self._costs.fill_share
        if cap and last is not None and (price / decimal(last.close) - 1) * order.side.sign > cap:
            return ZERO, f"the price {price} is beyond the cap"
        if share:
            most = market.instrument.round_quantity(decimal(candle.volume) * share)
            if most < order.quantity:
                return most, "the book was empty"
        return order.quantity, ""

    def _fill_order(
        self,
        market: Market,
        order: SubmitOrder,
        price: Decimal,
        reference: Decimal,
        is_maker: bool,
        time_ms: int,
        events: list[ExchangeEvent],
    ) -> None:
        """Fill as much of an order as position (reduce-only) and margin (opening) allow; cancel the rest."""
        position = market.position.quantity
        closable = min(abs(position), order.quantity) if position * order.side.sign < 0 else ZERO
        opening = ZERO if order.reduce_only else order.quantity - closable
        if opening > 0:
            kept = ZERO if closable else abs(position)
            if closable:
                self._fill(
                    market, order, order.order_id, order.side, closable, price, reference, is_maker, time_ms, events
                )
            rate = self._costs.fee_rate(is_maker)
            opening = min(opening, self._account.affordable(market, price, rate, kept))
            if opening < market.instrument.minimum_quantity:
                opening = ZERO
            quantity, done = opening, closable + opening
        else:
            quantity = done = closable
        if quantity > 0:
            self._fill(market, order, order.order_id, order.side, quantity, price, reference, is_maker, time_ms, events)
        if done < order.quantity:
            why = "the position is smaller" if order.reduce_only else "insufficient margin at the price of the fill"
            events.append(cancelled(order, time_ms, f"{order.quantity - done} of {order.quantity} not filled: {why}"))

    def _fill(
        self,
        market: Market,
        order: SubmitOrder | None,
        order_id: str,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        reference: Decimal,
        is_maker: bool,
        time_ms: int,
        events: list[ExchangeEvent],
        reason: FillReason = FillReason.ORDER,
    ) -> None:
        self.given += 1
        symbol = market.instrument.symbol
        fill = OrderFilled(
            order_id=order_id or f"{symbol}-liquidation", fill_id=f"{symbol}-{self.given}", symbol=symbol, side=side,
            quantity=quantity, price=price, fee=quantity * price * self._costs.fee_rate(is_maker), is_maker=is_maker,
            time_ms=time_ms, reference_price=reference, reason=reason,
        )  # fmt: skip
        self._account.book(market, fill, order)
        events.append(fill)

    def _impact(self, market: Market, quantity: Decimal) -> Decimal:
        """Square-root law (Almgren et al. 2005; Tóth et al. 2011), as a fraction of the price.

        Sigma is Parkinson's estimate from the mean range of closed candles. A market that reports no volume counts as
        if the order were as large as the volume.
        """
        if not self._costs.impact:
            return ZERO
        share = float(quantity) / market.mean_volume if market.mean_volume > 0 else 1.0
        sigma = market.mean_range / PARKINSON
        return decimal(round(self._costs.impact * sigma * math.sqrt(share), 12))
