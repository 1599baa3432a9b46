"""Our commands as bodies of the venue's requests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from triptych.domain import CancelOrder, OrderType, SubmitOrder
from triptych.domain.errors import OrderError
from triptych.exchanges.bybit.words import SIDE_WORDS, Category

TriggerBy = Literal["LastPrice", "MarkPrice", "IndexPrice"]
LONGEST_ID = 36


def plain(number: Decimal) -> str:
    """A number as the venue reads it: digits and a point, no exponent, no zeros at its end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def create_body(order: SubmitOrder, category: Category, *, trigger_by: TriggerBy) -> dict[str, Any]:
    """POST /v5/order/create: stop and target travel in the order and follow the whole position.

    A market order has no time in force of its own: the venue makes it an IOC limit within its price cap, so it may be
    filled in part. Raises OrderError for an id that the venue would refuse, a limit order without its price, or
    protection on spot, where the venue's stops are of another kind.
    """
    if not 1 <= len(order.order_id) <= LONGEST_ID or not all(c.isalnum() or c in "-_" for c in order.order_id):
        raise OrderError(
            f"Order id {order.order_id!r} is not one to 36 letters, digits, dashes and underscores.",
            remedy="Make ids with `OrderIds`.",
        )
    is_limit = order.type is OrderType.LIMIT
    if is_limit and order.limit_price is None:
        raise OrderError(f"Order {order.order_id}: a limit order needs its price.")
    protected = order.stop_loss is not None or order.take_profit is not None
    if protected and category in ("spot", "option"):
        raise OrderError(
            f"Order {order.order_id}: stop and target cannot travel with an order on {category}.",
            remedy="Trade the perpetual, or go without.",
        )
    body: dict[str, Any] = {
        "category": category,
        "symbol": order.symbol,
        "side": SIDE_WORDS[order.side],
        "orderType": "Limit" if is_limit else "Market",
        "qty": plain(order.quantity),
        "orderLinkId": order.order_id,
        "timeInForce": "GTC" if is_limit else "IOC",
    }
    if is_limit and order.limit_price is not None:
        body["price"] = plain(order.limit_price)
    if category == "spot":
        body["marketUnit"] = None if is_limit else "baseCoin"
        return body
    body |= {"positionIdx": 0, "reduceOnly": order.reduce_only}
    if order.stop_loss is not None:
        body |= {"stopLoss": plain(order.stop_loss), "slTriggerBy": trigger_by}
    if order.take_profit is not None:
        body |= {"takeProfit": plain(order.take_profit), "tpTriggerBy": trigger_by}
    if protected:
        body["tpslMode"] = "Full"
    return body


def cancel_body(command: CancelOrder, category: Category) -> dict[str, Any]:
    """POST /v5/order/cancel."""
    return {"category": category, "symbol": command.symbol, "orderLinkId": command.order_id}


def protect_body(
    symbol: str,
    category: Category,
    *,
    stop_loss: Decimal | None,
    take_profit: Decimal | None,
    trigger_by: TriggerBy,
) -> dict[str, Any]:
    """POST /v5/position/trading-stop: both are set as given, 0 takes one away."""
    return {
        "category": category, "symbol": symbol, "positionIdx": 0, "tpslMode": "Full",
        "stopLoss": "0" if stop_loss is None else plain(stop_loss), "slTriggerBy": trigger_by,
        "takeProfit": "0" if take_profit is None else plain(take_profit), "tpTriggerBy": trigger_by,
    }  # fmt: skip
