"""Why the simulated exchange refuses an order: checked when it is submitted, at the last known price."""

from __future__ import annotations

from decimal import Decimal

from triptych.domain import Instrument, MoveStop, OrderType, Side, SubmitOrder
from triptych.exchanges.simulated.account import Account, Market
from triptych.exchanges.simulated.costs import decimal

_TOLERANCE = Decimal("1e-9")
"""Relative room in the margin check for orders sized in floating point. The fill itself is cut without any."""


def refusal(order: SubmitOrder, market: Market, account: Account) -> str:
    """The reason to reject the order in words, empty to accept it."""
    return (
        _shape(order, market)
        or too_large(order, market.instrument)
        or _protection(order, market)
        or _size(order, market)
        or _margin(order, market, account)
    )


def too_large(order: SubmitOrder, instrument: Instrument) -> str:
    """Why an order asks for more than one order may, in words; empty where it does not."""
    most = instrument.largest_order(is_market=order.type is not OrderType.LIMIT)
    return f"quantity {order.quantity} is above the largest order {most}" if most and order.quantity > most else ""


def refusal_of_stop(move: MoveStop, market: Market | None) -> str:
    """The reason not to move a stop in words, empty to move it."""
    if market is None or not market.position.quantity or market.protected_by != move.order_id:
        return f"order {move.order_id} protects no position"
    if move.stop_loss <= 0 or move.stop_loss % market.instrument.price_step:
        return f"stop {move.stop_loss} is not a multiple of the step {market.instrument.price_step}"
    is_long, mark = market.position.quantity > 0, decimal(market.mark)
    if move.stop_loss >= mark if is_long else move.stop_loss <= mark:
        return f"the stop loss {move.stop_loss} must be {'below' if is_long else 'above'} the price {mark}"
    return ""


def _shape(order: SubmitOrder, market: Market) -> str:
    rules = market.instrument
    if order.quantity <= 0:
        return f"the quantity must be above zero, was {order.quantity}"
    if order.quantity % rules.quantity_step:
        return f"quantity {order.quantity} is not a multiple of the step {rules.quantity_step}"
    if any(waiting.order_id == order.order_id for waiting in market.waiting):
        return f"order id {order.order_id} is already in use"
    if order.type is OrderType.LIMIT:
        if order.limit_price is None or order.limit_price <= 0:
            return "a limit order needs a limit price above zero"
        if order.limit_price % rules.price_step:
            return f"limit price {order.limit_price} is not a multiple of the step {rules.price_step}"
    if market.mark <= 0:
        return "no price is known yet"
    return ""


def _protection(order: SubmitOrder, market: Market) -> str:
    price = order.limit_price if order.limit_price is not None else decimal(market.mark)
    sign = order.side.sign
    word = "below" if order.side is Side.BUY else "above"
    if order.stop_loss is not None and (order.stop_loss - price) * sign >= 0:
        return f"the stop loss {order.stop_loss} must be {word} the price {price}"
    if order.take_profit is not None and (order.take_profit - price) * sign <= 0:
        opposite = "above" if order.side is Side.BUY else "below"
        return f"the take profit {order.take_profit} must be {opposite} the price {price}"
    return ""


def _size(order: SubmitOrder, market: Market) -> str:
    rules, position = market.instrument, market.position.quantity
    if order.reduce_only:
        if position * order.side.sign >= 0 or order.quantity > abs(position):
            return f"a reduce-only order of {order.side} {order.quantity} would open a position (held: {position})"
        return ""
    if order.quantity < rules.minimum_quantity:
        return f"quantity {order.quantity} is below the minimum {rules.minimum_quantity}"
    price = order.limit_price if order.limit_price is not None else decimal(market.mark)
    if order.quantity * price < rules.minimum_notional:
        return f"notional {order.quantity * price} is below the minimum {rules.minimum_notional}"
    return ""


def _margin(order: SubmitOrder, market: Market, account: Account) -> str:
    if order.reduce_only:
        return ""
    if account.costs.leverage > market.instrument.maximum_leverage:
        return f"leverage {account.costs.leverage} is above the limit {market.instrument.maximum_leverage}"
    equity = account.equity()
    needed = account.margin_after(order)
    if needed > equity * (1 + _TOLERANCE):
        return f"insufficient margin: {needed:.2f} needed, equity is {equity:.2f}"
    return ""
