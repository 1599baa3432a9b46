from decimal import Decimal

import pytest

from triptych.domain import FillReason, FundingPaid, OrderStatus, PositionReport, Side, WalletReport
from triptych.domain.errors import ProtocolError
from triptych.exchanges.bybit.account_messages import (
    execution,
    fee_rates,
    order_report,
    parse_private,
    position_report,
    unknown_kind,
    wallet_report,
)
from triptych.exchanges.bybit.envelopes import Data
from triptych.exchanges.bybit.fields import Fields

ORDER = {
    "orderId": "v1", "orderLinkId": "c1", "symbol": "BTCUSDT", "side": "Buy", "qty": "0.010", "cumExecQty": "0",
    "orderStatus": "New", "updatedTime": "1700000005000", "reduceOnly": False, "cancelType": "UNKNOWN",
    "rejectReason": "EC_NoError",
}  # fmt: skip
EXECUTION = {
    "symbol": "BTCUSDT", "execFee": "26.3", "execId": "e1", "execPrice": "95900.1", "execQty": "0.5",
    "execType": "Trade", "markPrice": "95901.48", "orderLinkId": "c1", "side": "Sell", "execTime": "1746270400353",
    "isMaker": False, "stopOrderType": "UNKNOWN",
}  # fmt: skip


def order(**changes):
    return order_report(Fields(ORDER | changes, "order"))


def fill(**changes):
    return execution(Fields(EXECUTION | changes, "execution"))


def test_an_order_in_our_words():
    one = order()
    assert (one.order_id, one.venue_id, one.side) == ("c1", "v1", Side.BUY)
    assert (one.quantity, one.filled, one.status) == (Decimal("0.010"), Decimal(0), OrderStatus.OPEN)
    assert (one.updated_ms, one.reason) == (1700000005000, "")


STOP = {"orderStatus": "Untriggered", "stopOrderType": "StopLoss", "closeOnTrigger": True, "tpslMode": "Full"}


@pytest.mark.parametrize(
    ("changes", "is_protection"),
    [
        ({}, True),
        ({"stopOrderType": "TakeProfit"}, True),
        ({"stopOrderType": "TrailingStop", "tpslMode": ""}, True),
        ({"stopOrderType": "PartialStopLoss", "tpslMode": "Partial"}, False),
        ({"stopOrderType": "StopLoss", "tpslMode": "Partial"}, False),
        ({"stopOrderType": "Stop", "closeOnTrigger": False}, False),
        ({"stopOrderType": "Stop"}, False),
        ({"stopOrderType": "", "orderStatus": "New", "closeOnTrigger": False}, False),
    ],
)
def test_stop_and_target_of_the_whole_position_are_told_from_conditional_orders(changes, is_protection):
    assert order(**STOP | changes).is_protection is is_protection


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("New", OrderStatus.OPEN),
        ("PartiallyFilled", OrderStatus.PARTIALLY_FILLED),
        ("Untriggered", OrderStatus.UNTRIGGERED),
        ("Triggered", OrderStatus.OPEN),
        ("Filled", OrderStatus.FILLED),
        ("Cancelled", OrderStatus.CANCELLED),
        ("PartiallyFilledCanceled", OrderStatus.CANCELLED),
        ("Rejected", OrderStatus.REJECTED),
        ("Deactivated", OrderStatus.CANCELLED),
    ],
)
def test_every_status_of_the_venue_is_known(word, status):
    assert order(orderStatus=word).status is status


def test_a_rejected_order_keeps_what_it_filled():
    one = order(orderStatus="Rejected", cumExecQty="0.005", rejectReason="INSUFFICIENT_MARGIN")
    assert (one.status, one.filled, one.reason) == (OrderStatus.REJECTED, Decimal("0.005"), "INSUFFICIENT_MARGIN")


def test_an_unknown_status_is_an_error_not_a_guess():
    with pytest.raises(ProtocolError, match=r"order: field orderStatus: expected one of .* was Paused"):
        order(orderStatus="Paused")


def test_a_trade_becomes_a_fill():
    one = fill()
    assert (one.order_id, one.fill_id, one.side, one.quantity) == ("c1", "e1", Side.SELL, Decimal("0.5"))
    assert (one.price, one.fee, one.reference_price) == (Decimal("95900.1"), Decimal("26.3"), Decimal("95901.48"))
    assert (one.reason, one.is_maker, one.time_ms) == (FillReason.ORDER, False, 1746270400353)


def test_funding_moves_money_and_no_quantity():
    assert fill(execType="Funding") == FundingPaid(symbol="BTCUSDT", time_ms=1746270400353, amount=Decimal("26.3"))


@pytest.mark.parametrize("kind", ["AdlTrade", "BustTrade"])
def test_deleveraging_and_bankruptcy_change_the_quantity(kind):
    one = fill(execType=kind, orderLinkId="")
    assert (one.reason, one.quantity, one.order_id) == (FillReason.LIQUIDATION, Decimal("0.5"), "")


def test_an_unknown_kind_is_a_trade_where_it_names_a_quantity_and_nothing_where_not():
    assert (fill(execType="NewKind").quantity, fill(execType="NewKind", execQty="0")) == (Decimal("0.5"), None)
    assert fill(execType="NewKind", execPrice="") is None
    kinds = ["NewKind", "Trade", "Funding", "UNKNOWN", ""]
    assert [unknown_kind(Fields({"execType": one}, "execution")) for one in kinds] == ["NewKind", "", "", "", ""]


@pytest.mark.parametrize("topic", ["order", "execution", "execution.fast", "position"])
def test_rows_of_another_category_are_left_out_of_every_private_topic(topic):
    content = {"topic": topic, "creationTime": 1, "data": [{"category": "spot", "symbol": "BTCUSDT"}]}
    assert parse_private(Data(topic=topic, content=content), category="linear") == []
    with pytest.raises(ProtocolError):
        parse_private(Data(topic=topic, content=content), category="spot")


@pytest.mark.parametrize(
    ("stop", "reason"), [("StopLoss", FillReason.STOP_LOSS), ("TakeProfit", FillReason.TAKE_PROFIT), ("Stop", "order")]
)
def test_protective_fills_say_so(stop, reason):
    assert fill(stopOrderType=stop).reason == reason


def test_a_fee_in_base_currency_is_valued_at_the_fill():
    assert fill(feeCurrency="BTC", execFee="0.001", execPrice="90000").fee == Decimal("90.000")
    assert fill(feeCurrency="USDT").fee == Decimal("26.3")


@pytest.mark.parametrize(("side", "sign"), [("Buy", 1), ("Sell", -1)])
def test_a_position_is_signed(side, sign):
    row = {"symbol": "X", "side": side, "size": "5", "avgPrice": "3000", "stopLoss": "3100", "takeProfit": "0.00"}
    assert position_report(Fields(row | {"updatedTime": "7", "seq": 9}, "position")) == PositionReport(
        symbol="X", quantity=Decimal(5 * sign), entry_price=Decimal(3000), stop_loss=Decimal(3100), take_profit=None,
        updated_ms=7, sequence=9,
    )  # fmt: skip


def test_a_flat_position_has_no_side_and_a_held_one_must():
    flat = position_report(Fields({"symbol": "X", "side": "", "size": "0", "updatedTime": "", "avgPrice": "0"}, "p"))
    assert (flat.quantity, flat.entry_price, flat.updated_ms) == (0, 0, 0)
    with pytest.raises(ProtocolError, match="field side: expected Buy or Sell, because the size is not 0, was None"):
        position_report(Fields({"symbol": "X", "side": "None", "size": "1"}, "p"))


def test_the_wallet_is_read_in_one_currency():
    row = {"coin": [{"coin": "BTC"}, {"coin": "USDT", "equity": "10.5", "walletBalance": "9.5"}]}
    assert wallet_report(Fields(row, "wallet"), "USDT", 5) == WalletReport(
        currency="USDT", equity=Decimal("10.5"), balance=Decimal("9.5"), updated_ms=5
    )
    assert wallet_report(Fields(row, "wallet"), "USDC", 5) is None


def test_fast_executions_are_checked_and_book_nothing():
    row = {name: EXECUTION[name] for name in ("symbol", "execId", "execPrice", "execQty", "side", "execTime")}
    message = {"topic": "execution.fast", "creationTime": 1, "data": [row]}
    assert parse_private(Data(topic="execution.fast", content=message)) == []
    with pytest.raises(ProtocolError, match="field execQty"):
        parse_private(Data(topic="execution.fast", content=message | {"data": [row | {"execQty": "x"}]}))


def test_fee_rates_by_symbol():
    rows = {"list": [{"symbol": "X", "makerFeeRate": "0.0001", "takerFeeRate": "0.0006"}]}
    assert fee_rates(Fields(rows, "fees")) == {"X": (Decimal("0.0001"), Decimal("0.0006"))}
