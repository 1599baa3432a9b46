"""Orders: commands are imperative (`SubmitOrder`), events are past tense (`OrderFilled`)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Side(StrEnum):
    """Direction of an order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for buy, -1 for sell."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """How an order meets the market. Stops and targets travel in the entry order, not as orders of their own."""

    MARKET = "market"
    LIMIT = "limit"


class FillReason(StrEnum):
    """Why a fill happened; `by_hand` is a position of ours that somebody else has closed, by an order not ours."""

    ORDER = "order"
    STOP_LOSS = "stop_loss"
    TRAILING_STOP = "trailing_stop"
    TAKE_PROFIT = "take_profit"
    LIQUIDATION = "liquidation"
    BY_HAND = "by_hand"


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmitOrder:
    """Command: send an order. `stop_loss` and `take_profit` are prices that protect the position it leads to.

    `trailing_distance` says by how much the stop shall follow the best price, in quote currency; whoever sent the order
    then moves the stop by `MoveStop`.
    """

    order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    time_ms: int
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    reduce_only: bool = False
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_distance: Decimal | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelOrder:
    """Command: withdraw an order that has not been filled."""

    order_id: str
    symbol: str
    time_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveStop:
    """Command: move the stop of a position to another price. `order_id` is the order that opened the position."""

    order_id: str
    symbol: str
    time_ms: int
    stop_loss: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderFilled:
    """Event: a quantity was traded. `fee` is in quote currency, positive when paid.

    `reference_price` is the price without spread and slippage; the difference is what they cost.
    """

    order_id: str
    fill_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    is_maker: bool
    time_ms: int
    reference_price: Decimal
    reason: FillReason = FillReason.ORDER


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRejected:
    """Event: the venue refused the order."""

    order_id: str
    symbol: str
    time_ms: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderCancelled:
    """Event: an open order was withdrawn or expired."""

    order_id: str
    symbol: str
    time_ms: int
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderDenied:
    """Event: our own risk limits refused the order before it left the house."""

    order_id: str
    symbol: str
    time_ms: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FundingPaid:
    """Event: funding of a perpetual. `amount` in quote currency, positive when paid by us. Never changes a quantity."""

    symbol: str
    time_ms: int
    amount: Decimal


Command = SubmitOrder | CancelOrder | MoveStop
ExchangeEvent = OrderFilled | OrderRejected | OrderCancelled | FundingPaid
