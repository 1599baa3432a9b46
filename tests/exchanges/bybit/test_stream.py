import asyncio
import json
import random
from contextlib import aclosing

import pytest
from tests.fakes.venue_wire import KEY, FakeTimer, ScriptedConnector, ScriptedSocket

from triptych.domain import ManualClock, StreamState
from triptych.domain.errors import AuthenticationRefused, ExchangeError
from triptych.exchanges.bybit.market_messages import parse_public
from triptych.exchanges.bybit.socket import SocketClosed
from triptych.exchanges.bybit.stream import Config, Stream
from triptych.exchanges.bybit.venue_clock import VenueClock

TRADE = (
    '{"topic":"publicTrade.X","type":"snapshot","ts":5,"data":[{"T":4,"s":"X","S":"Sell","v":"1","p":"2","i":"%s"}]}'
)
LOGIN = '{"op":"auth","success":true,"retCode":0,"retMsg":"","connId":"c"}'


def ack(socket):
    """Confirm the oldest request that was not confirmed yet."""
    asked = [json.loads(text) for text in socket.sent if '"req_id"' in text and '"auth"' not in text]
    done = socket.__dict__.setdefault("done", 0)
    socket.done = done + 1
    return json.dumps({"success": True, "ret_msg": "", "req_id": asked[done]["req_id"], "op": asked[done]["op"]})


def stream_on(*sockets, topics=("publicTrade.X",), credentials=None, config=None):
    connector, timer = ScriptedConnector(*sockets), FakeTimer()
    stream = Stream(
        "ws://venue", topics, parse=parse_public, connector=connector, timer=timer,
        clock=VenueClock(ManualClock(1000)), credentials=credentials, config=config, chance=random.Random(1),
    )  # fmt: skip
    return stream, connector, timer


def hear(stream, count, after=None):
    async def listen():
        heard = []
        async with aclosing(stream.messages()) as messages:
            async for message in messages:
                heard.append(message)
                if after is not None:
                    await after(stream, message)
                if len(heard) == count:
                    return heard
        return heard

    return asyncio.run(listen())


def said(heard):
    return [("up" if one.is_up else one.reason) if isinstance(one, StreamState) else one.trade_id for one in heard]


def test_it_is_up_once_the_subscription_is_confirmed():
    socket = ScriptedSocket([TRADE % "early", ack, TRADE % "1", TRADE % "2"])
    stream, connector, _ = stream_on(socket)
    assert said(hear(stream, 4)) == ["early", "up", "1", "2"]
    assert connector.urls == ["ws://venue"]
    assert json.loads(socket.sent[0]) == {"req_id": "t1", "op": "subscribe", "args": ["publicTrade.X"]}
    assert socket.is_closed


def test_a_silent_connection_is_given_up_after_heartbeat_and_grace_and_made_anew():
    dead, live = ScriptedSocket([ack, TRADE % "1"]), ScriptedSocket([ack, TRADE % "2"])
    stream, _, timer = stream_on(dead, live)
    assert said(hear(stream, 5)) == ["up", "1", "nothing was heard for 30 s", "up", "2"]
    assert set(dead.timeouts) == {30.0}
    assert dead.is_closed
    assert stream.reconnections == 1
    assert any(0.25 <= one <= 0.5 for one in timer.slept)


def test_a_closed_connection_is_made_anew_with_growing_waits():
    stream, connector, timer = stream_on(
        SocketClosed("refused"), SocketClosed("refused"), SocketClosed("refused"), ScriptedSocket([ack])
    )
    assert said(hear(stream, 4)) == ["refused", "refused", "refused", "up"]
    assert len(connector.urls) == 4
    assert [low <= one <= 2 * low for one, low in zip(timer.slept, (0.25, 0.5, 1), strict=False)] == [True] * 3


def test_a_connection_that_comes_and_goes_is_made_anew_more_and_more_slowly():
    """The venue allows 500 new connections in 5 minutes; one that held for a while counts as mended."""
    sockets = [ScriptedSocket([ack, SocketClosed("gone")]) for _ in range(12)]
    stream, _, timer = stream_on(*sockets)
    hear(stream, 20)
    waits = [one for one in timer.slept if one != 20]
    assert [low <= one <= 2 * low for one, low in zip(waits, (0.25, 0.5, 1, 2, 4, 8, 15, 15), strict=False)] == [
        True
    ] * 8

    async def long(stream, message):
        timer.now_s += 25 if isinstance(message, StreamState) and message.is_up else 0

    stream, _, timer = stream_on(*[ScriptedSocket([ack, SocketClosed("gone")]) for _ in range(4)])
    hear(stream, 6, long)
    assert all(one <= 0.5 for one in timer.slept if one != 20)


def test_a_message_that_breaks_the_protocol_costs_the_connection():
    bad = '{"topic":"publicTrade.X","type":"snapshot","ts":5,"data":[{"S":"Up"}]}'
    stream, _, _ = stream_on(ScriptedSocket([ack, bad]), ScriptedSocket([ack]))
    heard = said(hear(stream, 3))
    assert heard[0] == heard[2] == "up"
    assert heard[1].startswith("publicTrade.X: field s: expected text, was missing")


@pytest.mark.parametrize("text", ["System busy, please try again later", "", "Too many requests"])
def test_a_subscription_refused_for_a_passing_reason_is_tried_again_on_another_connection(text):
    refused = json.dumps({"success": False, "ret_msg": text, "conn_id": "c", "req_id": "t1", "op": "subscribe"})
    stream, _, _ = stream_on(ScriptedSocket([refused]), ScriptedSocket([ack, TRADE % "1"]))
    reason = f"Bybit refused to subscribe publicTrade.X: {text or 'no reason given'}."
    assert said(hear(stream, 3)) == [reason, "up", "1"]
    assert stream.reconnections == 1


@pytest.mark.parametrize("text", ["Invalid topic: publicTrade.X", "error:Invalid symbol :[publicTrade.X]"])
def test_an_invalid_topic_as_the_venue_says_it_ends_the_stream(text):
    refused = json.dumps({"success": False, "ret_msg": text, "conn_id": "c", "op": "subscribe"})
    stream, _, _ = stream_on(ScriptedSocket([refused]))
    with pytest.raises(ExchangeError) as error:
        hear(stream, 1)
    assert error.value.message == f"Bybit refused to subscribe publicTrade.X: {text}."


def test_a_refused_topic_is_an_error_that_names_it():
    refused = '{"success":false,"ret_msg":"error:handler not found","conn_id":"c","req_id":"t1","op":"subscribe"}'
    stream, _, _ = stream_on(ScriptedSocket([refused]))
    with pytest.raises(ExchangeError) as caught:
        hear(stream, 1)
    assert str(caught.value) == (
        "Bybit refused to subscribe publicTrade.X: error:handler not found. Check symbol, category and depth."
    )


def test_topics_are_asked_for_ten_at_a_time_and_all_must_be_confirmed():
    topics = [f"publicTrade.{n}" for n in range(23)]
    socket = ScriptedSocket([ack, ack, TRADE % "1", ack, TRADE % "2"])
    stream, _, _ = stream_on(socket, topics=topics)
    assert said(hear(stream, 3)) == ["1", "up", "2"]
    assert [len(json.loads(text)["args"]) for text in socket.sent] == [10, 10, 3]


def test_an_unconfirmed_subscription_costs_the_connection():
    timer_jump = []

    def late(socket):
        timer_jump[0].now_s += 31
        return '{"op":"pong"}'

    stream, _, timer = stream_on(ScriptedSocket([late]), ScriptedSocket([ack]))
    timer_jump.append(timer)
    assert said(hear(stream, 2)) == ["the venue did not confirm publicTrade.X", "up"]


def test_a_private_stream_logs_in_first():
    socket = ScriptedSocket([LOGIN, ack])
    stream, _, _ = stream_on(socket, credentials=KEY)
    assert said(hear(stream, 1)) == ["up"]
    first = json.loads(socket.sent[0])
    assert (first["op"], first["args"][:2]) == ("auth", ["the-key", 11000])
    assert KEY.secret not in "".join(socket.sent)


def test_a_refused_login_stops_and_a_busy_server_does_not():
    wrong = '{"op":"auth","success":false,"retCode":10003,"retMsg":"Invalid apikey","connId":"c"}'
    with pytest.raises(AuthenticationRefused, match="Invalid apikey"):
        hear(stream_on(ScriptedSocket([wrong]), credentials=KEY)[0], 1)
    busy = '{"op":"auth","success":false,"retCode":10016,"retMsg":"busy","connId":"c"}'
    stream, _, _ = stream_on(ScriptedSocket([busy]), ScriptedSocket([LOGIN, ack]), credentials=KEY)
    assert said(hear(stream, 2))[1] == "up"


def test_resubscribing_asks_for_a_new_snapshot():
    socket = ScriptedSocket([ack, TRADE % "1", ack, ack, TRADE % "2"])
    stream, _, _ = stream_on(socket)

    async def once(stream, message):
        if not isinstance(message, StreamState) and message.trade_id == "1":
            await stream.resubscribe("publicTrade.X")

    assert said(hear(stream, 3, once)) == ["up", "1", "2"]
    assert [json.loads(text)["op"] for text in socket.sent] == ["subscribe", "unsubscribe", "subscribe"]


def test_what_was_heard_long_ago_is_stale():
    stream, _, timer = stream_on(ScriptedSocket([ack, TRADE % "1"]))
    seen = []

    async def look(stream, message):
        seen.append((stream.is_stale, stream.silence_s("publicTrade.X")))
        timer.now_s += 29
        seen.append((stream.is_stale, stream.silence_s("publicTrade.X")))
        timer.now_s += 2
        seen.append((stream.is_stale, stream.silence_s("publicTrade.X")))

    assert stream.is_stale
    hear(stream, 2, look)
    assert seen[3:] == [(False, 0.0), (False, 29.0), (True, 31.0)]
    assert seen[0] == (False, float("inf"))
    assert stream.is_stale


def test_pings_go_out_at_every_heartbeat():
    async def busy(stream, message):
        for _ in range(20):
            await asyncio.sleep(0)

    socket = ScriptedSocket([ack, TRADE % "1"])
    stream, _, _ = stream_on(socket, config=Config(heartbeat_s=7))
    hear(stream, 2, busy)
    assert socket.sent.count('{"op":"ping"}') >= 2
