"""Private messages, streamed and asked for, in our words. Pure functions: no socket, no clock."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from triptych.domain import (
    FillReason,
    FundingPaid,
    OrderFilled,
    OrderReport,
    OrderStatus,
    PositionReport,
    Side,
    WalletReport,
)
from triptych.domain.errors import ProtocolError
from triptych.exchanges.bybit.envelopes import Data
from triptych.exchanges.bybit.fields import Fields
from triptych.exchanges.bybit.words import SIDES, STATUSES

AccountMessage = OrderReport | OrderFilled | FundingPaid | PositionReport | WalletReport
ZERO: Final = Decimal(0)

_TRADES: Final = ("Trade", "AdlTrade", "BustTrade", "Delivery", "BlockTrade", "MovePosition", "FutureSpread")
"""Executions that change a quantity."""
_MONEY_ONLY: Final = ("Funding", "Settle")
"""Executions that move money and leave every quantity alone."""
_KINDS: Final = {kind: kind for kind in (*_TRADES, *_MONEY_ONLY, "SessionSettlePnL", "UNKNOWN", "")}
_FORCED: Final = ("AdlTrade", "BustTrade")
_PROTECTIVE: Final = {
    "StopLoss": FillReason.STOP_LOSS,
    "PartialStopLoss": FillReason.STOP_LOSS,
    "TrailingStop": FillReason.STOP_LOSS,
    "TakeProfit": FillReason.TAKE_PROFIT,
    "PartialTakeProfit": FillReason.TAKE_PROFIT,
}
_OF_THE_POSITION: Final = ("StopLoss", "TakeProfit", "TrailingStop")
"""Kinds of stops that follow the whole position; the partial ones and conditional orders (Stop) are orders."""
_NOTHING: Final = ("", "EC_NoError", "UNKNOWN")


def parse_private(data: Data, *, currency: str = "USDT", category: str = "") -> list[AccountMessage]:
    """What a message of a private topic says. Raises ProtocolError, also for a topic that was never subscribed to.

    `execution.fast` says what `execution` says, sooner but without fee and kind; nothing can be booked from it, so it
    is read for its form only. `currency` picks the coin of the wallet. The stream tells of the whole account: rows that
    name another `category` are left out, because spot and perpetual share their symbols; empty takes all.
    """
    message = Fields(data.content, data.topic)
    rows = rows_of(message, data.topic, category)
    topic = data.topic.split(".")[0]
    if data.topic.startswith("execution.fast"):
        for row in rows:
            fast_execution(row)
        return []
    if topic == "order":
        return [order_report(row) for row in rows]
    if topic == "execution":
        return [event for row in rows if (event := execution(row)) is not None]
    if topic == "position":
        return [position_report(row) for row in rows]
    if topic == "wallet":
        time_ms = message.integer("creationTime")
        return [wallet for row in rows if (wallet := wallet_report(row, currency, time_ms)) is not None]
    raise ProtocolError(f"{data.topic}: not a topic that is understood here.")


def rows_of(message: Fields, topic: str, category: str) -> list[Fields]:
    """The rows of a private message, without those that name another category; empty takes all."""
    found = list(message.items("data", topic))
    return [row for row in found if not category or row.text_or_empty("category") in ("", category)]


def order_report(row: Fields) -> OrderReport:
    """An order of the stream, of /v5/order/realtime or of /v5/order/history.

    A rejected or cancelled order keeps what it filled: `filled` is `cumExecQty`, whatever the status says. Stop and
    target of a position stand among the open orders too, Untriggered; what tells them from somebody's conditional order
    is their kind, and that they close the position.
    """
    status = row.choice("orderStatus", STATUSES)
    quantity, filled = row.decimal("qty"), row.optional_decimal("cumExecQty") or ZERO
    if filled < 0:
        raise row.error("cumExecQty", "a quantity of at least 0")
    # An order on spot by value is sized in quote currency; what it leaves is then no quantity either.
    reasons = (row.text_or_empty("rejectReason"), row.text_or_empty("cancelType"))
    said = "" if not status.is_final or status is OrderStatus.FILLED else _first(reasons)
    is_protection = (
        row.text_or_empty("stopOrderType") in _OF_THE_POSITION
        and row.flag("closeOnTrigger", False)
        and row.text_or_empty("tpslMode") != "Partial"
    )
    return OrderReport(
        order_id=row.text_or_empty("orderLinkId"), venue_id=row.text("orderId"), symbol=row.text("symbol"),
        side=row.choice("side", SIDES), quantity=quantity, filled=filled, status=status,
        updated_ms=row.integer("updatedTime"), reduce_only=row.flag("reduceOnly", False), reason=said,
        is_protection=is_protection,
    )  # fmt: skip


def execution(row: Fields) -> OrderFilled | FundingPaid | None:
    """An execution of the stream or of /v5/execution/list; None for one that moves neither quantity nor money of ours.

    Funding (and the settlement of USDC contracts) never changes a quantity; auto-deleveraging, bankruptcy and delivery
    do. The reference price is the mark price where the venue tells it. A fee in base currency, as for a purchase on
    spot, is valued at the price of the fill. One of a kind that is not known here (see
    `unknown_kind`) counts as a trade where it names a quantity and a price: whether it was one, the position says.
    """
    kind = row.text_or_empty("execType") if row.has("execType") else "Trade"
    if kind not in _KINDS:
        if not (row.positive("execQty") and row.positive("execPrice")):
            return None
        kind = "Trade"
    symbol, time_ms = row.text("symbol"), row.integer("execTime")
    fee = row.optional_decimal("execFee") or ZERO
    if kind in _MONEY_ONLY:
        return FundingPaid(symbol=symbol, time_ms=time_ms, amount=fee)
    quantity, price = row.decimal("execQty"), row.decimal("execPrice")
    if kind not in _TRADES or not quantity:
        return None
    if quantity < 0 or price <= 0:
        raise row.error("execQty" if quantity < 0 else "execPrice", "a number above zero")
    currency = row.text_or_empty("feeCurrency")
    if currency and symbol.startswith(currency) and not symbol.endswith(currency):
        fee *= price
    stop = row.text_or_empty("stopOrderType")
    reason = FillReason.LIQUIDATION if kind in _FORCED else _PROTECTIVE.get(stop, FillReason.ORDER)
    return OrderFilled(
        order_id=row.text_or_empty("orderLinkId"), fill_id=row.text("execId"), symbol=symbol,
        side=row.choice("side", SIDES), quantity=quantity, price=price, fee=fee, is_maker=row.flag("isMaker", False),
        time_ms=time_ms, reference_price=row.positive("markPrice") or price, reason=reason,
    )  # fmt: skip


def unknown_kind(row: Fields) -> str:
    """The kind of an execution that is not understood here; empty where it is."""
    kind = row.text_or_empty("execType")
    return "" if kind in _KINDS else kind


def fast_execution(row: Fields) -> tuple[str, str, Side, Decimal, Decimal, int]:
    """Execution id, symbol, side, quantity, price and time of an `execution.fast` message."""
    return (
        row.text("execId"), row.text("symbol"), row.choice("side", SIDES), row.decimal("execQty"),
        row.decimal("execPrice"), row.integer("execTime"),
    )  # fmt: skip


def position_report(row: Fields) -> PositionReport:
    """A position of the stream (`entryPrice`) or of /v5/position/list (`avgPrice`). A side of "" or None is flat."""
    size = row.decimal("size")
    if size < 0:
        raise row.error("size", "a quantity of at least 0")
    sign = row.choice("side", {"Buy": 1, "Sell": -1, "None": 0, "": 0})
    if size and not sign:
        raise row.error("side", "Buy or Sell, because the size is not 0")
    price = row.optional_decimal("entryPrice" if row.has("entryPrice") else "avgPrice") or ZERO
    return PositionReport(
        symbol=row.text("symbol"), quantity=size * sign, entry_price=price if size else ZERO,
        stop_loss=row.positive("stopLoss"), take_profit=row.positive("takeProfit"),
        updated_ms=row.optional_integer("updatedTime") or 0, sequence=row.optional_integer("seq") or 0,
    )  # fmt: skip


def wallet_report(row: Fields, currency: str, time_ms: int) -> WalletReport | None:
    """One coin of a wallet of the stream or of /v5/account/wallet-balance; None when the message leaves it out."""
    for coin in row.items("coin"):
        if coin.text("coin") == currency:
            return WalletReport(
                currency=currency, equity=coin.decimal("equity"), balance=coin.decimal("walletBalance"),
                updated_ms=time_ms,
            )  # fmt: skip
    return None


def fee_rates(result: Fields) -> dict[str, tuple[Decimal, Decimal]]:
    """GET /v5/account/fee-rate: maker and taker fee by symbol, fractions of the notional."""
    return {
        row.text("symbol"): (row.decimal("makerFeeRate"), row.decimal("takerFeeRate")) for row in result.items("list")
    }


def _first(words: tuple[str, ...]) -> str:
    return next((word for word in words if word not in _NOTHING), "")
