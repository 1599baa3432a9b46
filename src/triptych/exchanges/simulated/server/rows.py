"""Orders, executions, positions and wallets in the venue's form: numbers as text, absence as empty text."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from triptych.domain import FillReason, FundingPaid, Instrument, OrderFilled, OrderType, Position, SubmitOrder
from triptych.exchanges.bybit.orders import plain
from triptych.exchanges.bybit.words import SIDE_WORDS

ZERO = Decimal(0)
CATEGORY = "linear"
_LARGEST = Decimal(10**12)
"""The largest order where a tape knows of none: no quantity of a cheap coin comes near it."""
# A stop that we have moved is a stop loss like any other to the venue: it does not trail there.
_STOP_TYPES = {
    FillReason.STOP_LOSS: "StopLoss",
    FillReason.TRAILING_STOP: "StopLoss",
    FillReason.TAKE_PROFIT: "TakeProfit",
}
STOPS = (FillReason.STOP_LOSS, FillReason.TAKE_PROFIT)
_CREATE_TYPES = {
    FillReason.STOP_LOSS: "CreateByStopLoss",
    FillReason.TRAILING_STOP: "CreateByStopLoss",
    FillReason.TAKE_PROFIT: "CreateByTakeProfit",
    FillReason.LIQUIDATION: "CreateByLiq",
}


@dataclass(kw_only=True, slots=True)
class OrderRecord:
    """An order as the venue keeps it."""

    venue_id: str
    link_id: str
    order: SubmitOrder
    created_ms: int
    updated_ms: int
    status: str = "New"
    filled: Decimal = ZERO
    value: Decimal = ZERO
    fee: Decimal = ZERO
    cancel_type: str = "UNKNOWN"
    reject_reason: str = "EC_NoError"
    reason: FillReason = field(default=FillReason.ORDER)
    trigger_price: Decimal | None = None
    trigger_direction: int = 0

    @property
    def is_open(self) -> bool:
        """Whether more can be filled."""
        return self.status in ("New", "PartiallyFilled", "Untriggered")

    @property
    def stop_type(self) -> str:
        """The venue's word for a stop or a target; empty for an order."""
        return _STOP_TYPES.get(self.reason, "")

    def fill(self, event: OrderFilled) -> None:
        """Enter a fill."""
        self.filled += event.quantity
        self.value += event.quantity * event.price
        self.fee += event.fee
        self.updated_ms = event.time_ms
        self.status = "Filled" if self.filled >= self.order.quantity else "PartiallyFilled"

    def row(self) -> dict[str, Any]:
        """In the venue's form."""
        order = self.order
        leaves = order.quantity - self.filled if self.is_open else ZERO
        price = order.limit_price or ZERO
        return {
            "category": CATEGORY, "symbol": order.symbol, "orderId": self.venue_id, "orderLinkId": self.link_id,
            "blockTradeId": "", "side": SIDE_WORDS[order.side], "positionIdx": 0, "orderStatus": self.status,
            "cancelType": self.cancel_type, "rejectReason": self.reject_reason,
            "timeInForce": "GTC" if order.type is OrderType.LIMIT else "IOC", "isLeverage": "",
            "price": plain(price), "qty": plain(order.quantity),
            "avgPrice": plain(self.value / self.filled) if self.filled else "", "leavesQty": plain(leaves),
            "leavesValue": plain(leaves * price), "cumExecQty": plain(self.filled), "cumExecValue": plain(self.value),
            "cumExecFee": plain(self.fee), "orderType": "Limit" if order.type is OrderType.LIMIT else "Market",
            "stopOrderType": self.stop_type, "orderIv": "", "triggerPrice": _price(self.trigger_price),
            "takeProfit": _price(order.take_profit), "stopLoss": _price(order.stop_loss), "tpTriggerBy": "",
            "slTriggerBy": "", "triggerDirection": self.trigger_direction,
            "triggerBy": "" if self.trigger_price is None else "LastPrice", "lastPriceOnCreated": "",
            "reduceOnly": order.reduce_only, "closeOnTrigger": self.reason is not FillReason.ORDER,
            "smpType": "None", "smpGroup": 0, "smpOrderId": "", "tpslMode": "Full", "tpLimitPrice": "",
            "slLimitPrice": "", "placeType": "", "feeCurrency": "USDT",
            "createType": _CREATE_TYPES.get(self.reason, "CreateByUser"), "createdTime": str(self.created_ms),
            "updatedTime": str(self.updated_ms),
        }  # fmt: skip


def execution_row(event: OrderFilled, record: OrderRecord, closed: Decimal, sequence: int) -> dict[str, Any]:
    """A fill. The reference price goes as mark price, so that costs can be told on the other side too."""
    row = record.row()
    kind = "BustTrade" if event.reason is FillReason.LIQUIDATION else "Trade"
    value = event.quantity * event.price
    return {
        "category": CATEGORY, "symbol": event.symbol, "orderId": record.venue_id, "orderLinkId": record.link_id,
        "side": SIDE_WORDS[event.side], "orderPrice": row["price"], "orderQty": row["qty"],
        "leavesQty": row["leavesQty"], "createType": row["createType"], "orderType": row["orderType"],
        "stopOrderType": row["stopOrderType"] or "UNKNOWN", "execFee": plain(event.fee), "execId": event.fill_id,
        "execPrice": plain(event.price), "execQty": plain(event.quantity), "execType": kind,
        "execValue": plain(value), "execTime": str(event.time_ms), "feeCurrency": "USDT", "isMaker": event.is_maker,
        "feeRate": plain(event.fee / value) if value else "0", "tradeIv": "", "markIv": "",
        "markPrice": plain(event.reference_price), "indexPrice": "", "underlyingPrice": "", "blockTradeId": "",
        "closedSize": plain(closed), "isLeverage": "0", "seq": sequence,
    }  # fmt: skip


def funding_row(event: FundingPaid, quantity: Decimal, mark: Decimal, sequence: int) -> dict[str, Any]:
    """Funding is an execution that changes no quantity."""
    return {
        "category": CATEGORY, "symbol": event.symbol, "orderId": f"funding-{event.time_ms}", "orderLinkId": "",
        "side": "Buy" if quantity > 0 else "Sell", "orderPrice": "0", "orderQty": "0", "leavesQty": "0",
        "createType": "", "orderType": "UNKNOWN", "stopOrderType": "UNKNOWN", "execFee": plain(event.amount),
        "execId": f"funding-{event.symbol}-{event.time_ms}", "execPrice": plain(mark),
        "execQty": plain(abs(quantity)), "execType": "Funding", "execValue": plain(abs(quantity) * mark),
        "execTime": str(event.time_ms), "feeCurrency": "USDT", "isMaker": False, "feeRate": "0", "tradeIv": "",
        "markIv": "", "markPrice": plain(mark), "indexPrice": "", "underlyingPrice": "", "blockTradeId": "",
        "closedSize": "0", "isLeverage": "0", "seq": sequence,
    }  # fmt: skip


def position_row(
    position: Position,
    mark: Decimal,
    leverage: Decimal,
    protection: tuple[Decimal | None, Decimal | None],
    updated_ms: int,
    sequence: int,
) -> dict[str, Any]:
    """A position; the stream says entryPrice and the REST interface avgPrice, so both stand here."""
    quantity, entry = position.quantity, position.entry_price
    value = abs(quantity) * entry
    side = "Buy" if quantity > 0 else "Sell" if quantity < 0 else ""
    return {
        "category": CATEGORY, "positionIdx": 0, "tradeMode": 0, "riskId": 1, "riskLimitValue": "2000000",
        "symbol": position.symbol, "side": side, "size": plain(abs(quantity)), "entryPrice": plain(entry),
        "avgPrice": plain(entry), "sessionAvgPrice": "", "leverage": plain(leverage), "positionValue": plain(value),
        "positionBalance": plain(value / leverage), "markPrice": plain(mark), "positionIM": plain(value / leverage),
        "positionMM": "0", "takeProfit": _price(protection[1]), "stopLoss": _price(protection[0]),
        "trailingStop": "0", "unrealisedPnl": plain(position.unrealised(mark)), "curRealisedPnl": "0",
        "cumRealisedPnl": "0", "createdTime": str(updated_ms), "updatedTime": str(updated_ms), "tpslMode": "Full",
        "liqPrice": "", "bustPrice": "", "positionStatus": "Normal", "adlRankIndicator": 0, "autoAddMargin": 0,
        "leverageSysUpdatedTime": "", "mmrSysUpdatedTime": "", "seq": sequence, "isReduceOnly": False,
    }  # fmt: skip


def wallet_row(equity: Decimal, balance: Decimal, margin: Decimal) -> dict[str, Any]:
    """The whole account, in one coin."""
    free = max(equity - margin, ZERO)
    return {
        "accountType": "UNIFIED", "accountIMRate": "0", "accountMMRate": "0", "accountLTV": "0",
        "totalEquity": plain(equity), "totalWalletBalance": plain(balance), "totalMarginBalance": plain(equity),
        "totalAvailableBalance": plain(free), "totalPerpUPL": plain(equity - balance),
        "totalInitialMargin": plain(margin), "totalMaintenanceMargin": "0",
        "coin": [
            {
                "coin": "USDT", "equity": plain(equity), "usdValue": plain(equity), "walletBalance": plain(balance),
                "availableToWithdraw": "", "availableToBorrow": "", "borrowAmount": "0",
                "accruedInterest": "0", "totalOrderIM": "0", "totalPositionIM": plain(margin),
                "totalPositionMM": "0", "unrealisedPnl": plain(equity - balance), "cumRealisedPnl": "0",
                "bonus": "0", "locked": "0", "spotHedgingQty": "0", "collateralSwitch": True,
                "marginCollateral": True,
            }
        ],
    }  # fmt: skip


def announced(instrument: Instrument) -> Instrument:
    """An instrument with the largest orders that the venue announces, and holds its clients to."""
    return replace(
        instrument, maximum_quantity=instrument.maximum_quantity or _LARGEST,
        maximum_market_quantity=instrument.maximum_market_quantity or _LARGEST,
    )  # fmt: skip


def instrument_row(instrument: Instrument, funding_minutes: int) -> dict[str, Any]:
    """An instrument with its rules."""
    limits = announced(instrument)
    assert limits.maximum_quantity is not None
    assert limits.maximum_market_quantity is not None
    most, most_at_market = plain(limits.maximum_quantity), plain(limits.maximum_market_quantity)
    base = instrument.symbol.removesuffix("USDT") or instrument.symbol
    return {
        "symbol": instrument.symbol, "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": base,
        "quoteCoin": "USDT", "settleCoin": "USDT", "launchTime": "0", "deliveryTime": "0", "deliveryFeeRate": "",
        "priceScale": str(max(0, -int(instrument.price_step.normalize().as_tuple().exponent))),
        "leverageFilter": {
            "minLeverage": "1", "maxLeverage": plain(instrument.maximum_leverage), "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": plain(instrument.price_step), "maxPrice": "100000000",
            "tickSize": plain(instrument.price_step),
        },
        "lotSizeFilter": {
            "maxOrderQty": most, "minOrderQty": plain(instrument.minimum_quantity or instrument.quantity_step),
            "qtyStep": plain(instrument.quantity_step), "postOnlyMaxOrderQty": most,
            "maxMktOrderQty": most_at_market, "minNotionalValue": plain(instrument.minimum_notional),
        },
        "unifiedMarginTrade": True, "fundingInterval": funding_minutes, "copyTrading": "none",
        "upperFundingRate": "0.03", "lowerFundingRate": "-0.03", "isPreListing": False, "preListingInfo": None,
    }  # fmt: skip


def _price(price: Decimal | None) -> str:
    return "" if price is None else plain(price)
