"""Small questions and answers of the simulated exchange: what an open passes, when funding falls, what is refused."""

from __future__ import annotations

from triptych.domain import Candle, Command, OrderCancelled, OrderRejected, Side, SubmitOrder


def passed(order: SubmitOrder, open_: float) -> bool:
    """Whether the open is beyond the order's limit, on the side that is better for us."""
    assert order.limit_price is not None
    limit = float(order.limit_price)
    return open_ < limit if order.side is Side.BUY else open_ > limit


def funding_falls(last: Candle | None, candle: Candle, interval_ms: int) -> bool:
    """Whether a funding time lies after the last candle and not after the close of this one."""
    before = candle.open_time_ms if last is None else last.close_time_ms
    return candle.close_time_ms // interval_ms > before // interval_ms


def rejected(command: Command, reason: str) -> OrderRejected:
    """The event of a command that is refused."""
    return OrderRejected(order_id=command.order_id, symbol=command.symbol, time_ms=command.time_ms, reason=reason)


def cancelled(order: SubmitOrder, time_ms: int, reason: str) -> OrderCancelled:
    """The event of an order that ends unfilled, or filled in part."""
    return OrderCancelled(order_id=order.order_id, symbol=order.symbol, time_ms=time_ms, reason=reason)
