"""A whole connection to the simulated exchange: candles for the live feed, the account, the clock."""

import asyncio
import logging

import pytest
from tests.fakes.served import MINUTE, START, Listener, server_on, tape

from triptych.domain import Candle, StreamState, Timeframe
from triptych.domain.errors import ClockRefused, ExchangeError
from triptych.exchanges.bybit import hosts
from triptych.exchanges.bybit import rest as rest_
from triptych.exchanges.bybit import stream as stream_
from triptych.exchanges.bybit.connection import BybitConnection
from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.simulated.server import RestFault, StreamFaults
from triptych.market.feed import CandleFeed

M1 = Timeframe.parse("1m")
QUICK = stream_.Config(back_off_s=0.01, longest_back_off_s=0.05)


def test_the_live_feed_misses_nothing_though_the_stream_breaks():
    """Candles that close while the stream is down come from history; together they are the tape."""

    async def run():
        async with server_on() as server, BybitConnection(server.hosts, stream=QUICK, seed=1) as connection:
            candles = connection.candles(["BTCUSDT"], M1)
            feed = CandleFeed(["BTCUSDT"], M1)
            feed.begin_after("BTCUSDT", START + 49 * MINUTE)
            async with Listener(candles.stream()) as listener:
                await listener.until(lambda one: isinstance(one, StreamState) and one.is_up)
                await server.step(10)
                await listener.until(lambda one: isinstance(one, Candle) and one.close_time_ms == START + 60 * MINUTE)
                server.faults.stream = StreamFaults(lose=1.0)
                await server.cut()
                await server.step(10)  # nobody hears these
                server.faults.clear()
                await listener.until(
                    lambda _: sum(isinstance(one, StreamState) and one.is_up for one in listener.heard) >= 2
                )
                await server.step(10)
                await listener.until(lambda one: isinstance(one, Candle) and one.close_time_ms == START + 80 * MINUTE)
            for one in listener.heard:
                if isinstance(one, Candle):
                    feed.on_candle(one)
            left = [candle for batch in feed.due(START + 80 * MINUTE) for candle in batch.candles]
            (gap,) = feed.gaps()
            assert (gap.start_ms, gap.end_ms) == (START + 60 * MINUTE, START + 70 * MINUTE)
            feed.fill(gap, await candles.history(gap.symbol, gap.start_ms, gap.end_ms))
            left += [candle for batch in feed.due(START + 80 * MINUTE) for candle in batch.candles]
        assert left == [tape().candle(n) for n in range(50, 80)]

    asyncio.run(run())


@pytest.mark.parametrize("skew_ms", [-6000, 6000])
def test_it_refuses_to_start_with_a_clock_too_far_away(skew_ms):
    async def run():
        async with server_on() as server:
            server.faults.clock_skew_ms = skew_ms
            with pytest.raises(ClockRefused, match="This machine's clock differs from the venue's by"):
                async with BybitConnection(server.hosts):
                    pass
            async with BybitConnection(server.hosts, clock_limit_ms=7000) as connection:
                gateway = connection.gateway(Credentials(key="key", secret="secret"))
                assert (await gateway.wallet()).equity == 10_000

    asyncio.run(run())


def test_a_venue_that_is_not_there_is_said_so():
    nowhere = hosts.Config(
        environment="custom", rest="http://127.0.0.1:9", public="ws://127.0.0.1:9/p", private="ws://127.0.0.1:9/q"
    )

    async def run():
        patience = rest_.Config(read_attempts=2, back_off_s=0.01)
        with pytest.raises(ExchangeError, match="GET /v5/market/time had no answer after 2 attempts"):
            async with BybitConnection(nowhere, rest=patience):
                pass

    asyncio.run(run())


def test_no_secret_is_in_logs_reprs_or_errors_of_a_session(caplog, capsys):
    caplog.set_level(logging.DEBUG)
    credentials, said = Credentials(key="planted-key-1", secret="planted-secret-2"), []

    async def run():
        async with (
            server_on(keys={"planted-key-1": "planted-secret-2"}) as server,
            BybitConnection(server.hosts, stream=QUICK, rest=rest_.Config(back_off_s=0.01)) as connection,
        ):
            gateway = connection.gateway(credentials)
            async with Listener(gateway.stream()) as listener:
                await listener.until(lambda one: isinstance(one, StreamState) and one.is_up)
            server.faults.add(RestFault(kind="refuse", code=10004, path="/v5/account"))
            with pytest.raises(ExchangeError) as caught:
                await gateway.wallet()
            said.extend([repr(caught.value), str(caught.value), repr(gateway), repr(connection), repr(credentials)])
            said.extend(repr(one) for one in listener.heard)

    asyncio.run(run())
    everything = caplog.text + "".join(capsys.readouterr()) + "".join(said)
    assert "planted-secret-2" not in everything
    assert "planted-key-1" not in everything


def test_regional_and_custom_hosts_are_checked():
    assert hosts.Config(environment="mainnet", rest="https://api.bybit.eu/").rest_url == "https://api.bybit.eu"
    assert hosts.Config(environment="demo").public_url("linear") == "wss://stream.bybit.com/v5/public/linear"
    with pytest.raises(ValueError, match="a custom environment needs all of rest, public and private"):
        hosts.Config(environment="custom", rest="http://x")
    with pytest.raises(ValueError, match="rest must be an address beginning with http:// or https://"):
        hosts.Config(rest="api.bybit.com")
