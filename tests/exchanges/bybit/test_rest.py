import asyncio
from decimal import Decimal

import pytest
from tests.fakes.venue_wire import KEY, FakeTimer, ScriptedTransport, http, rest_client

from triptych.domain import ManualClock, OrderType, Side, SubmitOrder
from triptych.domain.errors import (
    AuthenticationRefused,
    Banned,
    ClockRefused,
    ExchangeError,
    OrderError,
    OutcomeUnknown,
    RateLimited,
)
from triptych.exchanges.bybit.orders import create_body, plain, protect_body
from triptych.exchanges.bybit.rest import Config
from triptych.exchanges.bybit.transport import TransportError

OK = http('{"retCode":0,"retMsg":"OK","result":{"a":"1"},"time":1700000000100}')
LOST = TransportError("no reply within 10 s", was_sent=True)
UNREACHED = TransportError("connection refused", was_sent=False)


def refused(code, status=200):
    return http(f'{{"retCode":{code},"retMsg":"no","result":{{}},"time":1700000000100}}', status)


def ask(client, **options):
    return asyncio.run(client.get("/v5/x", {"symbol": "BTCUSDT", "cursor": None, "q": "a b"}, **options))


def order(client, **options):
    return asyncio.run(client.post("/v5/order/create", {"orderLinkId": "c1", "price": None}, **options))


def test_a_question_is_sent_as_it_was_signed_and_absent_parameters_are_left_out():
    transport = ScriptedTransport(OK)
    reply = ask(rest_client(transport), signed=True)
    ((method, url, headers, body),) = transport.requests
    assert (method, url, body) == ("GET", "http://venue/v5/x?symbol=BTCUSDT&q=a%20b", "")
    assert headers["X-BAPI-TIMESTAMP"] == "1700000000000"
    assert headers["X-BAPI-API-KEY"] == "the-key"
    assert reply.result.text("a") == "1"


@pytest.mark.parametrize("trouble", [LOST, UNREACHED, http("", 502), refused(10016), refused(10006), http("", 429)])
def test_a_question_is_asked_again(trouble):
    timer = FakeTimer()
    transport = ScriptedTransport(trouble, trouble, OK)
    assert ask(rest_client(transport, timer=timer)).time_ms == 1700000000100
    assert len(transport.requests) == 3
    assert timer.now_s > 0


def test_waits_double_and_are_spread():
    timer = FakeTimer()
    with pytest.raises(ExchangeError) as caught:
        ask(rest_client(ScriptedTransport(*[LOST] * 5), timer=timer))
    assert caught.value.message == ("GET /v5/x had no answer after 5 attempts: GET /v5/x: no reply within 10 s.")
    assert [low <= one <= 2 * low for one, low in zip(timer.slept, (0.25, 0.5, 1, 2), strict=True)] == [True] * 4


def test_a_plain_refusal_is_not_repeated():
    transport = ScriptedTransport(refused(10001))
    with pytest.raises(ExchangeError, match=r"Bybit refused GET /v5/x: no \(code 10001\)"):
        ask(rest_client(transport))
    assert len(transport.requests) == 1


def test_an_order_whose_reply_is_lost_is_unknown_and_never_sent_twice():
    transport = ScriptedTransport(LOST)
    with pytest.raises(OutcomeUnknown):
        order(rest_client(transport), attempts=3)
    assert len(transport.requests) == 1


@pytest.mark.parametrize("trouble", [http("", 502), refused(10000), refused(10016), http("<html>", 200), http("{}")])
def test_an_order_that_meets_a_sick_server_is_unknown(trouble):
    with pytest.raises(OutcomeUnknown):
        order(rest_client(ScriptedTransport(trouble)), attempts=3)


def limited(reset_ms, left):
    headers = {"X_Bapi_Limit_Status": str(left), "X_Bapi_Limit_Reset_Timestamp": str(reset_ms)}
    return http('{"retCode":10006,"retMsg":"too fast","result":{}}', **headers)


@pytest.mark.parametrize("left", [0, 1])
def test_after_a_rate_limit_its_interface_waits_for_the_reset_whatever_is_left(left):
    timer = FakeTimer(clock := ManualClock(1_700_000_000_000))
    client = rest_client(ScriptedTransport(limited(1_700_000_003_000, left), OK, OK), timer=timer, clock=clock)
    order(client, attempts=3, signed_ms=1_700_000_000_000)
    assert timer.now_s == 3.0
    ask(client)  # another interface
    assert timer.now_s == 3.0


def test_an_order_whose_reset_lies_beyond_its_signature_is_given_up_at_once():
    timer = FakeTimer(clock := ManualClock(1_700_000_000_000))
    transport = ScriptedTransport(limited(1_700_000_006_000, 0), OK)
    client = rest_client(transport, timer=timer, clock=clock)
    with pytest.raises(RateLimited) as caught:
        order(client, attempts=3, signed_ms=1_700_000_000_000)
    assert caught.value.retry_after_ms == 6_000
    assert timer.now_s == 0.0
    with pytest.raises(RateLimited) as caught:
        order(client, attempts=3, signed_ms=1_700_000_000_000)
    assert caught.value.message == (
        "/v5/order/create was not sent: its turn comes in 6.0 s, and what was signed is valid for 5.0 s."
    )
    assert len(transport.requests) == 1
    clock.set(1_700_000_006_000)
    timer.now_s = 6.0
    order(client, signed_ms=1_700_000_006_000)
    assert len(transport.requests) == 2


@pytest.mark.parametrize("trouble", [UNREACHED, refused(10006), http("", 429)])
def test_an_order_that_surely_did_not_arrive_is_sent_again_under_the_same_id(trouble):
    transport = ScriptedTransport(trouble, OK)
    order(rest_client(transport), attempts=3, signed_ms=1_700_000_000_000)
    first, second = transport.requests
    assert first[3] == second[3] == '{"orderLinkId":"c1"}'


def test_the_signature_carries_our_time_in_the_venue_s_clock():
    """The venue is 5 s ahead; its first reply says so."""
    clock = ManualClock(1_700_000_000_000)
    ahead = http('{"retCode":0,"result":{},"time":1700000005000}')
    transport = ScriptedTransport(ahead, OK)
    client = rest_client(transport, clock=clock)
    ask(client)
    order(client, signed_ms=1_700_000_000_700)
    assert transport.requests[1][2]["X-BAPI-TIMESTAMP"] == "1700000005700"


def test_a_refused_time_stamp_is_mended_by_the_refusal_itself():
    early = http('{"retCode":10002,"retMsg":"time","result":{},"time":1699999995000}')
    transport = ScriptedTransport(early, OK)
    ask(rest_client(transport), signed=True)
    stamps = [request[2]["X-BAPI-TIMESTAMP"] for request in transport.requests]
    assert stamps == ["1700000000000", "1699999995000"]
    with pytest.raises(ClockRefused):
        ask(rest_client(ScriptedTransport(early, early, early)), signed=True)


def test_403_stops_everything_for_ten_minutes():
    timer = FakeTimer()
    transport = ScriptedTransport(http("denied", 403), OK)
    client = rest_client(transport, timer=timer)
    with pytest.raises(RateLimited) as caught:
        ask(client)
    assert caught.value.retry_after_ms == 600_000
    with pytest.raises(RateLimited, match="was not sent"):
        order(client, attempts=3)
    assert len(transport.requests) == 1
    timer.now_s += 600
    ask(client)


def test_a_429_that_names_a_far_end_stops_everything_until_then():
    timer = FakeTimer()
    transport = ScriptedTransport(http("", 429, Retry_After="90"), OK)
    client = rest_client(transport, timer=timer)
    with pytest.raises(RateLimited) as caught:
        ask(client)
    assert caught.value.retry_after_ms == 90_000
    timer.now_s = 89.5
    with pytest.raises(RateLimited, match="nothing is sent for another 1 s"):
        ask(client)
    timer.now_s = 90.0
    ask(client)


def test_a_banned_address_asks_nothing_more():
    transport = ScriptedTransport(refused(10009))
    client = rest_client(transport)
    with pytest.raises(Banned):
        ask(client)
    with pytest.raises(RateLimited, match="was not sent"):
        ask(client)
    assert len(transport.requests) == 1


def test_a_wrong_key_stops_at_once():
    for trouble in (refused(10003), http("", 401)):
        transport = ScriptedTransport(trouble)
        with pytest.raises(AuthenticationRefused):
            ask(rest_client(transport), signed=True)
        assert len(transport.requests) == 1


def test_a_signed_request_needs_a_key():
    with pytest.raises(AuthenticationRefused) as caught:
        order(rest_client(ScriptedTransport(OK), credentials=None))
    assert caught.value.message == "POST /v5/order/create needs an API key."


def test_the_client_never_shows_its_secret():
    client = rest_client(ScriptedTransport())
    assert repr(client) == "RestClient('http://venue', Credentials(key='the…'))"
    assert KEY.secret not in repr(client) + repr(Config())


def test_a_venue_that_quotes_the_key_does_not_bring_it_into_our_errors():
    quoted = http('{"retCode":10004,"retMsg":"error sign! origin_string[1the-key5000] the-secret","result":{}}')
    with pytest.raises(AuthenticationRefused) as caught:
        ask(rest_client(ScriptedTransport(quoted)), signed=True)
    said = f"{caught.value} {caught.value!r} {caught.value.args}"
    assert "the-key" not in said
    assert "the-secret" not in said
    assert "origin_string[1the…5000] ***" in said


def submit(**changes):
    fields = {
        "order_id": "BTC-1", "symbol": "BTCUSDT", "side": Side.BUY, "quantity": Decimal("0.0100"), "time_ms": 5,
    }  # fmt: skip
    return SubmitOrder(**(fields | changes))


def test_stop_and_target_travel_in_the_order():
    body = create_body(submit(stop_loss=Decimal("90"), take_profit=Decimal("120.50")), "linear", trigger_by="LastPrice")
    assert body == {
        "category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01",
        "orderLinkId": "BTC-1", "timeInForce": "IOC", "positionIdx": 0, "reduceOnly": False, "stopLoss": "90",
        "slTriggerBy": "LastPrice", "takeProfit": "120.5", "tpTriggerBy": "LastPrice", "tpslMode": "Full",
    }  # fmt: skip


def test_a_limit_order_names_its_price():
    body = create_body(submit(type=OrderType.LIMIT, limit_price=Decimal("1E+2")), "linear", trigger_by="LastPrice")
    assert (body["orderType"], body["price"], body["timeInForce"]) == ("Limit", "100", "GTC")
    with pytest.raises(OrderError, match="a limit order needs its price"):
        create_body(submit(type=OrderType.LIMIT), "linear", trigger_by="LastPrice")


def test_a_market_order_on_spot_is_sized_in_base_units_and_has_no_protection():
    body = create_body(submit(), "spot", trigger_by="LastPrice")
    assert (body["marketUnit"], "positionIdx" in body) == ("baseCoin", False)
    with pytest.raises(OrderError, match="stop and target cannot travel with an order on spot"):
        create_body(submit(stop_loss=Decimal(1)), "spot", trigger_by="LastPrice")


@pytest.mark.parametrize("bad", ["", "a" * 37, "a b", "ä/"])
def test_an_id_that_the_venue_would_refuse_is_refused_here(bad):
    with pytest.raises(OrderError, match="is not one to 36 letters"):
        create_body(submit(order_id=bad), "linear", trigger_by="LastPrice")


def test_protection_is_set_or_taken_away():
    body = protect_body("X", "linear", stop_loss=Decimal("0.00001"), take_profit=None, trigger_by="MarkPrice")
    assert (body["stopLoss"], body["takeProfit"]) == ("0.00001", "0")


@pytest.mark.parametrize(("number", "text"), [("1E-7", "0.0000001"), ("10.0", "10"), ("100", "100"), ("0.10", "0.1")])
def test_numbers_are_written_plainly(number, text):
    assert plain(Decimal(number)) == text
