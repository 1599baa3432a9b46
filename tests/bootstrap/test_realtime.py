import asyncio

import pytest

from triptych.bootstrap import realtime
from triptych.bootstrap.realtime import bybit_at
from triptych.domain import Candle, StreamState, Timeframe
from triptych.exchanges.gateway import AbstractCandleSource
from triptych.live.following import Following
from triptych.market.feed import CandleFeed

MINUTE = Timeframe(60_000)


def candle(symbol, minute):
    return Candle(
        symbol=symbol, timeframe=MINUTE, open_time_ms=minute * MINUTE.milliseconds, open=1.0, high=1.0, low=1.0,
        close=1.0, volume=1.0,
    )  # fmt: skip


@pytest.mark.parametrize("address", ["127.0.0.1:8765", "http://127.0.0.1:8765", "http://127.0.0.1:8765/"])
def test_the_address_is_taken_as_the_served_exchange_prints_it(address):
    hosts = bybit_at(address)
    assert hosts.rest_url == "http://127.0.0.1:8765"
    assert hosts.public == "ws://127.0.0.1:8765/v5/public"


def test_no_address_is_the_mainnet():
    assert bybit_at("").environment == "mainnet"


class OfOne(AbstractCandleSource):
    """A venue on which A trades; B is silent, and what history knows of it comes late."""

    def __init__(self, told):
        self.told, self.asked = told, []

    async def history(self, symbol, start_ms, end_ms):
        self.asked.append((symbol, start_ms, end_ms))
        return self.told

    async def stream(self):
        yield candle("A", 5)
        while True:  # a connection that comes and goes resets no patience
            await asyncio.sleep(0.005)
            yield StreamState(is_up=True, time_ms=0)


@pytest.mark.parametrize(("told", "leaving"), [([], "A"), ([5], "AB")])
def test_a_close_waits_for_a_silent_companion_by_real_time_and_not_for_the_next_candle(monkeypatch, told, leaving):
    monkeypatch.setattr(realtime, "PATIENCE_MS", 20)

    async def first_batch():
        inner = OfOne([candle("B", minute) for minute in told])
        source, feed = Following(inner, 0), CandleFeed(["A", "B"], MINUTE, patience_ms=20)
        for symbol in "AB":
            feed.begin_after(symbol, 4 * MINUTE.milliseconds)
        async for late_ms in realtime._heard(source, feed):
            now_ms = source.clock.now_ms() + late_ms
            await realtime._fill(feed, source, now_ms)
            for batch in feed.due(now_ms):
                return batch, inner.asked

    batch, asked = asyncio.run(first_batch())
    assert ("".join(one.symbol for one in batch.candles), batch.is_late) == (leaving, False)
    assert asked == [("B", 5 * MINUTE.milliseconds, 6 * MINUTE.milliseconds)]
