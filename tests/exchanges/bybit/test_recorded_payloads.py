"""Every recorded payload through the parsing, compared with the numbers in the file itself."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from triptych.domain import BookUpdate, CandleUpdate, FundingPaid, OrderFilled, OrderReport, PositionReport, Timeframe
from triptych.domain.errors import AuthenticationRefused, ClockRefused, ExchangeError, ProtocolError, RateLimited
from triptych.exchanges.bybit import account_messages, market_messages
from triptych.exchanges.bybit.envelopes import Ack, Data, read_frame, read_reply
from triptych.exchanges.bybit.fields import Fields
from triptych.market.books import BookStatus, OrderBook

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "data" / "bybit"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded payloads lie in ../shared/data/bybit")
FILES = sorted(path.name for path in FOLDER.glob("*.json"))


def load(name):
    return json.loads((FOLDER / name).read_text())


def reply(name):
    return read_reply(load(name), name).result


def rows_of(name):
    return load(name)["result"]["list"]


def same(ours, theirs):
    """A number of ours and the text it came from; an absent one is None or zero."""
    return (ours or Decimal(0)) == Decimal(theirs or "0")


@pytest.mark.parametrize("name", [name for name in FILES if "_orders_" in name or "_order_" in name])
def test_orders_keep_every_quantity(name):
    content = load(name)
    if "op" in content:
        ack = read_frame(json.dumps(content))
        assert isinstance(ack, Ack)
        assert (ack.is_success, ack.request_id, ack.data) == (True, "order-req-001", content["data"])
        return
    rows = content["data"] if "topic" in content else content["result"]["list"]
    found = [account_messages.order_report(Fields(row, name)) for row in rows]
    assert len(found) == len(rows) > 0
    for ours, row in zip(found, rows, strict=True):
        assert (ours.order_id, ours.venue_id, ours.symbol) == (row["orderLinkId"], row["orderId"], row["symbol"])
        assert same(ours.quantity, row["qty"])
        assert same(ours.filled, row["cumExecQty"])
        assert ours.updated_ms == int(row["updatedTime"])
        assert ours.side == row["side"].lower()
        assert ours.reduce_only is row["reduceOnly"]
        final = row["orderStatus"] in ("Filled", "Cancelled", "Rejected", "PartiallyFilledCanceled", "Deactivated")
        assert ours.status.is_final is final


def test_recorded_stops_of_a_position_are_protection_and_the_venues_conditional_orders_are_not():
    def told(name):
        content = load(name)
        rows = content["data"] if "topic" in content else content["result"]["list"]
        return [account_messages.order_report(Fields(row, name)).is_protection for row in rows]

    assert told("http_get_orders_realtime_tp_sl.json") == [True, True]
    assert told("ws_account_order_stop_loss.json") == told("ws_account_order_take_profit.json") == [True]
    assert told("ws_account_order_stop_market.json") == told("ws_account_order_buy_stop_market.json") == [False]
    assert told("ws_account_order_market_if_touched.json") == told("ws_account_order_stop_limit.json") == [False]


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("ws_account_")])
def test_every_private_message_is_understood(name):
    content = load(name)
    if "topic" not in content:  # a single row of a position, as another project keeps it
        assert isinstance(account_messages.position_report(Fields(content, name)), PositionReport)
        return
    frame = read_frame(json.dumps(content))
    assert isinstance(frame, Data)
    found = account_messages.parse_private(frame)
    assert len(found) == (0 if content["topic"] == "execution.fast" else len(content["data"]))


@pytest.mark.parametrize("name", [n for n in FILES if "execution" in n and "fast" not in n])
def test_executions_keep_quantity_price_and_fee(name):
    content = load(name)
    rows = content["data"] if "topic" in content else content["result"]["list"]
    for row in rows:
        ours = account_messages.execution(Fields(row, name))
        assert isinstance(ours, OrderFilled)
        assert (ours.fill_id, ours.order_id, ours.time_ms) == (
            row["execId"], row["orderLinkId"], int(row["execTime"]),
        )  # fmt: skip
        assert same(ours.quantity, row["execQty"])
        assert same(ours.price, row["execPrice"])
        assert same(ours.fee, row["execFee"])
        assert not isinstance(ours, FundingPaid)


@pytest.mark.parametrize("name", [n for n in FILES if "position" in n])
def test_positions_keep_size_price_and_protection(name):
    content = load(name)
    rows = content.get("data") or content.get("result", {}).get("list") or [content]
    for row in rows:
        ours = account_messages.position_report(Fields(row, name))
        sign = {"Buy": 1, "Sell": -1}.get(row["side"], 0)
        assert same(ours.quantity, str(Decimal(row["size"]) * sign))
        assert not ours.quantity or same(ours.entry_price, row.get("entryPrice") or row.get("avgPrice"))
        assert same(ours.stop_loss, row["stopLoss"])
        assert same(ours.take_profit, row["takeProfit"])
        assert ours.updated_ms == int(row["updatedTime"])


@pytest.mark.parametrize("name", [n for n in FILES if "wallet" in n])
def test_wallets_keep_equity_and_balance_of_every_coin(name):
    content = load(name)
    rows = content.get("data") or content["result"]["list"]
    for row in rows:
        for coin in row["coin"]:
            ours = account_messages.wallet_report(Fields(row, name), coin["coin"], 1)
            assert ours is not None
            assert same(ours.equity, coin["equity"])
            assert same(ours.balance, coin["walletBalance"])


@pytest.mark.parametrize("name", [n for n in FILES if "instruments" in n])
def test_instruments_keep_their_rules(name):
    rows = rows_of(name)
    found = market_messages.listings(reply(name), "any")
    for ours, row in zip(found, rows, strict=True):
        lots = row["lotSizeFilter"]
        rules = ours.instrument
        assert (rules.symbol, ours.status, ours.base, ours.quote) == (
            row["symbol"], row["status"], row["baseCoin"], row["quoteCoin"],
        )  # fmt: skip
        assert same(rules.price_step, row["priceFilter"]["tickSize"])
        assert same(rules.quantity_step, lots.get("qtyStep") or lots["basePrecision"])
        assert same(rules.minimum_quantity, lots["minOrderQty"])
        assert same(rules.minimum_notional, lots.get("minNotionalValue") or lots.get("minOrderAmt"))
        assert same(ours.maximum_market_quantity, lots.get("maxMktOrderQty"))
        assert ours.funding_interval_minutes == row.get("fundingInterval")
        assert str(ours.delivery_ms or 0) == row.get("deliveryTime", "0")


def test_candles_funding_trades_and_books_that_were_asked_for():
    (candle,) = market_messages.candles(reply("http_get_klines_linear.json"), "BTCUSDT", Timeframe.parse("1m"))
    assert (candle.open_time_ms, candle.open, candle.high, candle.low, candle.close, candle.volume) == (
        1709891679000, 27450.0, 27460.0, 27440.0, 27455.0, 123.45,
    )  # fmt: skip
    rates = market_messages.funding_rates(reply("http_get_funding_history.json"))
    assert [(one.time_ms, str(one.rate)) for one in rates] == [(1709856000000, "0.00015"), (1709884800000, "0.0001")]
    (trade,) = market_messages.recent_trades(reply("http_get_trades_recent.json"))
    assert (trade.trade_id, str(trade.price)) == ("a905d5c3-1ed0-4f37-83e4-9c73a2fe2f01", "27450.50")
    book = market_messages.book_snapshot(reply("http_get_orderbook.json"))
    assert (book.update_id, book.sequence, len(book.bids), len(book.asks)) == (1234567, 9876543, 3, 3)
    fees = account_messages.fee_rates(reply("http_get_fee_rate.json"))
    assert fees["SOLUSDT"] == (Decimal("0.00025"), Decimal("0.00075"))


def test_the_account_s_settings_open_as_a_reply():
    assert reply("http_get_account_info.json").text("marginMode") == "REGULAR_MARGIN"


@pytest.mark.parametrize(
    ("number", "kind"),
    [(0, ExchangeError), (1, ClockRefused), (2, AuthenticationRefused), (3, RateLimited), (4, None)],
)
def test_error_replies_become_our_errors(number, kind):
    content = load("http_error_replies.json")[number]
    if kind is None:
        assert read_reply(content, "x").code == 110043  # leverage not modified: as wished
        return
    with pytest.raises(kind) as caught:
        read_reply(content, "x")
    assert type(caught.value) is kind
    assert caught.value.code == content["retCode"]


@pytest.mark.parametrize("name", ["ws_kline.json", "ws_ticker_linear.json", "ws_ticker_option.json"])
def test_public_messages_are_understood(name):
    frame = read_frame((FOLDER / name).read_text())
    assert isinstance(frame, Data)
    (one,) = market_messages.parse_public(frame)
    data = load(name)["data"]
    if isinstance(one, CandleUpdate):
        assert (one.candle.close, one.is_closed) == (16677.0, False)
    else:
        assert same(one.last_price, data["lastPrice"])
        assert same(one.mark_price, data["markPrice"])
        assert same(one.ask_size, data.get("ask1Size") or data["askSize"])


def test_a_topic_that_the_venue_does_not_have_is_refused():
    """This fixture of another project has a topic of its own."""
    frame = read_frame((FOLDER / "ws_public_trade.json").read_text())
    assert isinstance(frame, Data)
    with pytest.raises(ProtocolError, match=r"trade.linear.BTCUSDT: not a topic that is understood here\."):
        market_messages.parse_public(frame)
    assert [one.trade_id for one in market_messages.trades(frame)] == ["9dc75fca-4bdd-4773-9f78-6f5d7ab2a110"]


@pytest.mark.parametrize(
    ("name", "op", "success"),
    [
        ("ws_auth_failure.json", "auth", False),
        ("ws_auth_success.json", "auth", True),
        ("ws_subscription_ack.json", "subscribe", True),
        ("ws_subscription_failure.json", "subscribe", False),
    ],
)
def test_acknowledgements_are_understood(name, op, success):
    frame = read_frame((FOLDER / name).read_text())
    assert isinstance(frame, Ack)
    assert (frame.op, frame.is_success) == (op, success)


def test_real_testnet_frames():
    lines = (FOLDER / "capture_testnet_frames_20260915.jsonl").read_text().splitlines()
    frames = [read_frame(line) for line in lines if line.strip()]
    assert isinstance(frames[-1], Ack)
    assert frames[-1].text == "error:handler not found,topic:liquidations:BTCUSDT"
    found = [one for frame in frames[:-1] if isinstance(frame, Data) for one in market_messages.parse_public(frame)]
    assert [type(one).__name__ for one in found] == ["CandleUpdate", "Trade", "BookUpdate"]


def test_the_real_book_capture_is_replayed_without_loss():
    """50 messages of 500 levels: our book against a plain dictionary, level by level."""
    bids, asks, book, statuses = {}, {}, OrderBook("XRPUSDT"), []
    for line in (FOLDER / "capture_orderbook500_XRPUSDT_20241201.jsonl").read_text().splitlines():
        if not line.strip():
            continue
        frame = read_frame(line)
        assert isinstance(frame, Data)
        (update,) = market_messages.parse_public(frame)
        assert isinstance(update, BookUpdate)
        statuses.append(book.apply(update).status)
        data = json.loads(line)["data"]
        for side, levels in ((bids, data["b"]), (asks, data["a"])):
            side.update({Decimal(price): Decimal(size) for price, size in levels})
            for price in [price for price, size in side.items() if not size]:
                del side[price]
        assert dict(book.bids()) == bids
        assert dict(book.asks()) == asks
    assert statuses == [BookStatus.RESET, *[BookStatus.APPLIED] * 49]


def test_no_file_was_left_out():
    """Every payload belongs to one of the tests above."""
    known = ("order", "execution", "position", "wallet", "instruments", "klines", "kline", "funding", "trades", "trade",
             "fee_rate", "account_info", "error_replies", "ticker", "auth", "subscription")  # fmt: skip
    assert [name for name in FILES if not any(word in name for word in known)] == []
    assert isinstance(
        account_messages.order_report(Fields(rows_of("http_get_orders_history.json")[0], "x")), OrderReport
    )
