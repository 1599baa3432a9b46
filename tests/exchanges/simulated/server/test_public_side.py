"""What everybody hears of the simulated exchange: candles equal the tape, books are whole or known not to be."""

import asyncio
import random

import numpy as np
import pytest
from tests.fakes.served import MINUTE, START, Listener, gateway_on, in_thread, server_on, tape

from triptych.bootstrap import fetch_candles
from triptych.domain import BookUpdate, CandleUpdate, StreamState, SystemClock, Ticker, Timeframe, Trade
from triptych.domain.errors import DataError, ExchangeError
from triptych.exchanges.bybit.public_stream import (
    Wiring,
    book_topic,
    candle_topic,
    public_stream,
    ticker_topic,
    trade_topic,
)
from triptych.exchanges.bybit.socket import WebSocketConnector
from triptych.exchanges.bybit.stream import Config
from triptych.exchanges.bybit.venue_clock import VenueClock
from triptych.exchanges.simulated.server import BybitServer, StreamFaults
from triptych.exchanges.simulated.server.tape import Tape
from triptych.exchanges.timing import SystemTimer
from triptych.market import CandleStore
from triptych.market.books import LiveBook

M1, M5 = Timeframe.parse("1m"), Timeframe.parse("5m")
TOPICS = [
    candle_topic("BTCUSDT", M1), candle_topic("BTCUSDT", M5), book_topic("BTCUSDT", 50), trade_topic("BTCUSDT"),
    ticker_topic("BTCUSDT"),
]  # fmt: skip


def listening(play, topics=TOPICS, **options):
    async def run():
        connector = WebSocketConnector()
        async with server_on(**options) as server:
            wiring = Wiring(
                hosts=server.hosts, category="linear", connector=connector, timer=SystemTimer(),
                clock=VenueClock(SystemClock()), config=Config(back_off_s=0.01), chance=random.Random(1),
            )  # fmt: skip
            stream = public_stream(wiring, topics)
            try:
                async with Listener(stream.messages()) as listener:
                    return await play(server, stream, listener)
            finally:
                await connector.close()

    return asyncio.run(run())


def up(one):
    return isinstance(one, StreamState) and one.is_up


def test_candles_on_the_stream_are_those_of_the_tape_and_of_the_history():
    async def play(server, stream, listener):
        await listener.until(up)
        await server.step(30)
        await listener.until(lambda one: isinstance(one, CandleUpdate) and one.time_ms == START + 80 * MINUTE)
        heard = [one.candle for one in listener.heard if isinstance(one, CandleUpdate) and one.is_closed]
        assert [one for one in heard if one.timeframe == M1] == [tape().candle(n) for n in range(50, 80)]
        async with gateway_on(server) as gateway:
            history = await gateway.market.candles("BTCUSDT", M5, start_ms=START, end_ms=START + 80 * MINUTE)
        assert [one for one in heard if one.timeframe == M5] == history[10:]
        assert history[0].high == tape().values[:5, 1].max()
        assert sum(isinstance(one, Trade) for one in listener.heard) == 30
        assert sum(isinstance(one, Ticker) for one in listener.heard) == 31

    listening(play)


@pytest.mark.parametrize("lose", [0.0, 0.4])
def test_a_book_is_whole_or_asks_anew(lose):
    async def play(server, stream, listener):
        book = LiveBook("BTCUSDT", lambda: stream.resubscribe(book_topic("BTCUSDT", 50)))
        await listener.until(up)
        server.faults.stream = StreamFaults(lose=lose, topics=("orderbook",))
        judged = checked = 0
        for step in range(40):
            await server.step()
            if step == 35:
                server.faults.stream = StreamFaults()
            await listener.until(
                lambda one: isinstance(one, Ticker) and one.time_ms == server.tape.now_ms  # it follows the book
            )
            await asyncio.sleep(0)
            for message in listener.heard[judged:]:
                if isinstance(message, BookUpdate):
                    await book.on_update(message, 0)
            judged = len(listener.heard)
            if book.book.is_synchronised and book.book.update_id == server.market._update + 2:
                checked += 1
                assert [str(price) for price, _ in book.book.bids()] == list(server.market._books["BTCUSDT"]["b"])
        assert (book.resyncs > 0) is (lose > 0)
        assert checked == 40 if not lose else checked > 3

    listening(play)


def test_a_topic_that_does_not_exist_is_refused_by_name():
    async def play(server, stream, listener):
        with pytest.raises(ExchangeError, match=r"error:handler not found,topic:orderbook\.7\.BTCUSDT"):
            await listener.until(up)

    listening(play, topics=[book_topic("BTCUSDT", 7)])


def test_candles_are_fetched_into_the_store_over_real_sockets(tmp_path):
    server = server_on()
    with in_thread(server):
        (done,) = fetch_candles(
            ["BTCUSDT"], ["1m"], store=tmp_path, start=START, end=START + 500 * MINUTE, where=server.hosts
        )
    stored = CandleStore(tmp_path).load("bybit", "BTCUSDT", "1m")
    assert done.new == len(stored) == 50
    assert np.array_equal(stored.values, tape().values[:50])
    assert stored.instrument.price_step == tape().instrument.price_step


def test_it_can_be_run_from_outside():
    import json
    import urllib.request

    server = server_on()

    def post(act, content):
        body = json.dumps(content).encode()
        request = urllib.request.Request(f"{server.hosts.rest_url}/triptych/{act}", data=body, method="POST")
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    with in_thread(server):
        assert post("step", {"count": 3}) == {"stepped": 3}
        assert post("faults", {"stream": {"lose": 0.5}, "clock_skew_ms": 5, "maintenance": True}) == {"done": "faults"}
        with urllib.request.urlopen(f"{server.hosts.rest_url}/triptych/status") as reply:
            status = json.load(reply)
    assert (status["market_ms"], status["remaining"]) == (START + 53 * MINUTE, 147)
    assert (server.faults.stream.lose, server.faults.clock_skew_ms, server.faults.maintenance) == (0.5, 5, True)


def test_a_tape_of_two_timeframes_or_without_candles_to_tell_is_refused():
    with pytest.raises(DataError, match="Give one timeframe of 1m, 3m, 5m"):
        Tape([], 1)
    with pytest.raises(DataError, match="The tape has 200 close times, 201 cannot be known at the start"):
        BybitServer([tape()], known=201)


def test_at_its_end_the_tape_stops():
    async def play():
        async with server_on(known=198) as server:
            assert await server.step(5) == 2
            assert await server.step() == 0

    asyncio.run(play())


def test_candles_are_fetched_by_the_command(tmp_path, monkeypatch, capsys):
    import json

    from triptych.cli import main

    server = server_on()
    with in_thread(server), pytest.raises(SystemExit) as ended:
        main(
            ["data", "fetch", "BTCUSDT", "-t", "1m", "-t", "5m", "--start", "2023-11-15", "--end", "2023-11-16",
             "--rest", server.hosts.rest_url, "--store", str(tmp_path), "--funding", "--json"]
        )  # fmt: skip
    assert ended.value.code in (0, None)
    histories = json.loads(capsys.readouterr().out)["histories"]
    assert [(one["what"], one["new"]) for one in histories] == [("1m", 50), ("5m", 10), ("funding", 1)]
    assert histories[0]["first"] == "2023-11-15 00:00:00"
