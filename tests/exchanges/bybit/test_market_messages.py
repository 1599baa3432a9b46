from decimal import Decimal

import pytest

from triptych.domain import BookUpdate, Candle, FundingRate, Side, Ticker, Timeframe, Trade
from triptych.domain.errors import ProtocolError
from triptych.exchanges.bybit.envelopes import Ack, Data, Pong, read_frame, read_reply
from triptych.exchanges.bybit.fields import Fields
from triptych.exchanges.bybit.market_messages import candles, funding_rates, listings, parse_public, recent_trades

MINUTE = Timeframe.parse("1m")


def parse(text):
    frame = read_frame(text)
    assert isinstance(frame, Data)
    return parse_public(frame)


def test_a_candle_says_whether_it_is_closed():
    (update,) = parse(
        '{"topic":"kline.5.BTCUSDT","ts":1672324988882,"type":"snapshot","data":[{"start":1672324800000,'
        '"end":1672325099999,"interval":"5","open":"16649.5","close":"16677","high":"16677","low":"16608",'
        '"volume":"2.081","turnover":"34666.4005","confirm":false,"timestamp":1672324988882}]}'
    )
    assert update.candle == Candle(
        symbol="BTCUSDT", timeframe=Timeframe.parse("5m"), open_time_ms=1672324800000, open=16649.5, high=16677.0,
        low=16608.0, close=16677.0, volume=2.081,
    )  # fmt: skip
    assert (update.is_closed, update.time_ms, update.turnover) == (False, 1672324988882, Decimal("34666.4005"))


def test_a_book_message_keeps_its_numbers():
    (update,) = parse(
        '{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":2000,"cts":1999,'
        '"data":{"s":"BTCUSDT","b":[["27450.00","0.400"]],"a":[["27451.00","0"]],"u":8,"seq":22}}'
    )
    assert update == BookUpdate(
        symbol="BTCUSDT", is_snapshot=False, bids=((Decimal("27450.00"), Decimal("0.400")),),
        asks=((Decimal("27451.00"), Decimal(0)),), update_id=8, sequence=22, exchange_time_ns=2_000_000_000,
    )  # fmt: skip


def test_a_trade_names_the_aggressor():
    (trade,) = parse(
        '{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":5,"data":[{"T":4,"s":"BTCUSDT","S":"Sell","v":"0.003",'
        '"p":"77256.70","L":"MinusTick","i":"0e5a","BT":false}]}'
    )
    assert trade == Trade(
        symbol="BTCUSDT", trade_id="0e5a", time_ms=4, side=Side.SELL, price=Decimal("77256.70"), size=Decimal("0.003")
    )


def test_a_ticker_delta_changes_what_it_names_and_an_old_one_nothing():
    (whole,) = parse(
        '{"topic":"tickers.X","type":"snapshot","ts":10,"data":{"symbol":"X","lastPrice":"5","markPrice":"6",'
        '"fundingRate":"-0.0002","nextFundingTime":"1673280000000","fundingIntervalHour":"8"}}'
    )
    (delta,) = parse('{"topic":"tickers.X","type":"delta","ts":11,"data":{"symbol":"X","lastPrice":"7"}}')
    now = whole.after(delta)
    assert now == Ticker(
        symbol="X", time_ms=11, is_snapshot=True, last_price=Decimal(7), mark_price=Decimal(6),
        funding_rate=Decimal("-0.0002"), next_funding_ms=1673280000000, funding_interval_hours=8,
    )  # fmt: skip
    assert now.after(whole) is now


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"topic":"kline.7.X","data":[{"interval":"7"}]}', "field interval: expected one of 1, 3, 5"),
        (
            '{"topic":"orderbook.1.X","type":"delta","ts":1,"data":{"s":"X","b":[["1"]],"a":[],"u":1}}',
            "field b: expected",
        ),
        (
            '{"topic":"orderbook.1.X","type":"half","ts":1,"data":{"s":"X"}}',
            "field type: expected one of snapshot, delta",
        ),
        ('{"topic":"liquidation.X","data":[]}', "liquidation.X: not a topic that is understood here."),
        ('{"topic":"publicTrade.X","data":{}}', "field data: expected a list"),
    ],
)
def test_what_breaks_the_protocol_is_refused_by_name(text, problem):
    with pytest.raises(ProtocolError) as caught:
        parse(text)
    assert problem in str(caught.value)


def reply(result):
    return read_reply({"retCode": 0, "retMsg": "OK", "result": result, "time": 9}, "GET /x").result


def test_candles_come_newest_first_and_are_turned_round():
    rows = [["120000", "2", "3", "1", "2", "9", "18"], ["60000", "1", "2", "1", "2", "8", "16"]]
    found = candles(reply({"symbol": "X", "list": rows}), "X", MINUTE)
    assert [(one.open_time_ms, one.close, one.volume) for one in found] == [(60000, 2.0, 8.0), (120000, 2.0, 9.0)]


def test_candles_of_mark_and_index_prices_have_no_volume():
    (one,) = candles(reply({"symbol": "X", "list": [["60000", "1", "2", "1", "2"]]}), "X", MINUTE)
    assert one.volume == 0


def test_candles_of_another_symbol_or_out_of_order_are_refused():
    with pytest.raises(ProtocolError, match="asked for candles of X, was sent those of Y"):
        candles(reply({"symbol": "Y", "list": []}), "X", MINUTE)
    rows = [["60000", "1", "2", "1", "2"], ["120000", "1", "2", "1", "2"]]
    with pytest.raises(ProtocolError, match="candles out of order at 60000"):
        candles(reply({"symbol": "X", "list": rows}), "X", MINUTE)


def test_an_impossible_candle_is_refused():
    with pytest.raises(ProtocolError, match="high and low must contain open and close"):
        candles(reply({"list": [["60000", "5", "4", "1", "2", "1", "1"]]}), "X", MINUTE)


def test_an_instrument_brings_its_rules():
    (one,) = listings(
        reply(
            {
                "list": [
                    {
                        "symbol": "BTCUSDT", "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": "BTC",
                        "quoteCoin": "USDT", "settleCoin": "USDT", "launchTime": "1584230400000", "deliveryTime": "0",
                        "leverageFilter": {"maxLeverage": "100.00"}, "priceFilter": {"tickSize": "0.10"},
                        "lotSizeFilter": {
                            "maxOrderQty": "1190.000", "minOrderQty": "0.001", "qtyStep": "0.001",
                            "maxMktOrderQty": "500.000", "minNotionalValue": "5",
                        },
                        "fundingInterval": 480,
                    }
                ]
            }
        ),
        "linear",
    )  # fmt: skip
    rules = one.instrument
    assert (rules.price_step, rules.quantity_step) == (Decimal("0.10"), Decimal("0.001"))
    assert (rules.minimum_quantity, rules.minimum_notional) == (Decimal("0.001"), Decimal(5))
    assert (rules.maximum_leverage, rules.venue) == (Decimal(100), "bybit")
    assert (one.maximum_quantity, one.maximum_market_quantity) == (Decimal(1190), Decimal(500))
    assert (one.funding_interval_minutes, one.launch_ms, one.delivery_ms) == (480, 1584230400000, None)


def test_funding_rates_and_trades_are_turned_round():
    rows = [
        {"symbol": "X", "fundingRate": "0.0002", "fundingRateTimestamp": "200"},
        {"symbol": "X", "fundingRate": "0.0001", "fundingRateTimestamp": "100"},
    ]
    assert funding_rates(reply({"list": rows}))[0] == FundingRate(symbol="X", time_ms=100, rate=Decimal("0.0001"))
    rows = [{"execId": str(n), "symbol": "X", "price": "1", "size": "1", "side": "Buy", "time": str(n)} for n in (2, 1)]
    assert [one.trade_id for one in recent_trades(reply({"list": rows}))] == ["1", "2"]


@pytest.mark.parametrize(
    "text",
    [
        '{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"","op":"ping"}',
        '{"op":"pong","args":["1675418560633"],"conn_id":"c"}',
        '{"retCode":0,"retMsg":"pong","op":"ping","connId":"c"}',
        '{"req_id":"test","op":"pong","args":["1675418560633"],"conn_id":"c"}',
    ],
)
def test_every_form_of_pong_is_known(text):
    assert read_frame(text) == Pong()


def test_acknowledgements_carry_our_id_also_when_it_was_a_number():
    ack = read_frame('{"success":false,"ret_msg":"Invalid topic","conn_id":"c","req_id":7,"op":"subscribe"}')
    assert ack == Ack(op="subscribe", is_success=False, request_id="7", text="Invalid topic")
    auth = read_frame('{"op":"auth","retCode":10003,"retMsg":"Invalid apikey","success":false}')
    assert auth == Ack(op="auth", is_success=False, request_id="", text="Invalid apikey", code=10003)


def test_a_reply_without_a_code_is_no_reply():
    with pytest.raises(ProtocolError, match="GET /x: field retCode: expected a whole number, was missing"):
        read_reply({"result": {}}, "GET /x")


def test_fields_can_be_asked_for_nothing():
    assert not Fields({"a": ""}, "x").has("a")
