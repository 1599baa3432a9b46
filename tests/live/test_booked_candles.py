import asyncio
from decimal import Decimal

import pytest

from triptych.domain import BookUpdate, Candle, CandleUpdate, StreamState, Timeframe
from triptych.exchanges.gateway import AbstractCandleSource
from triptych.live.booked_candles import BookedCandles, Config
from triptych.market.books import ClosingBook

SECOND = Timeframe.parse("1s")


def book(number, time_ms, bid, *, snapshot=False):
    sides = {"bids": ((Decimal(str(bid)), Decimal(1)),), "asks": ((Decimal(101), Decimal(2)),)}
    return BookUpdate(
        symbol="X", is_snapshot=snapshot, update_id=number, exchange_time_ns=time_ms * 1_000_000, **sides
    )  # fmt: skip


def candle(close_ms, symbol="X"):
    return Candle(
        symbol=symbol, timeframe=SECOND, open_time_ms=close_ms - 1_000, open=100, high=100, low=100, close=100, volume=1
    )  # fmt: skip


def closed(close_ms, symbol="X"):
    return CandleUpdate(candle=candle(close_ms, symbol), is_closed=True, time_ms=close_ms)


class Past(AbstractCandleSource):
    async def history(self, symbol, start_ms, end_ms):
        return [candle(close_ms, symbol) for close_ms in range(start_ms + 1_000, end_ms + 1, 1_000)]

    async def stream(self):
        raise AssertionError("the candles come with the books")
        yield


def source(*messages, patience_s=30.0, hangs=False, past=None):
    async def nothing():
        pass

    async def say():
        for one in messages:
            yield one
            await asyncio.sleep(0)
        if hangs:
            await asyncio.Event().wait()

    keeper = ClosingBook("X", nothing, timeframe=SECOND, levels=1, max_age_ms=1_000)
    return BookedCandles(Past(), say, {"X": keeper}, Config(patience_seconds=patience_s), past=past)


def told(from_source, count=None):
    async def listen():
        found = []
        stream = from_source.stream()
        async for one in stream:
            found.append(one)
            if len(found) == count:
                break
        await stream.aclose()
        return found

    return asyncio.run(listen())


UP = StreamState(is_up=True, time_ms=0)
DOWN = StreamState(is_up=False, time_ms=0, reason="gone")


def test_a_candle_carries_the_book_of_its_close_though_a_message_of_that_time_comes_after_it():
    found = told(
        source(UP, book(1, 1_500, 99, snapshot=True), closed(2_000), book(2, 2_000, 99.5), book(3, 2_010, 100))
    )
    assert found == [UP, candle(2_000)]
    assert found[1].book == (99.5, 1.0, 101.0, 2.0)


def test_without_another_word_a_candle_leaves_after_the_patience():
    found = told(source(UP, book(1, 1_500, 99, snapshot=True), closed(2_000), patience_s=0.05, hangs=True), count=2)
    assert found[1].book == (99.0, 1.0, 101.0, 2.0)


def test_an_instrument_without_book_does_not_wait_and_those_of_one_instrument_keep_their_order():
    messages = [
        book(1, 1_500, 99, snapshot=True),
        closed(2_000),
        closed(2_000, "Y"),
        closed(3_000),
        book(2, 2_500, 99.5),
    ]
    found = told(source(*messages, book(3, 3_500, 100)))
    assert [(one.symbol, one.close_time_ms) for one in found] == [("Y", 2_000), ("X", 2_000), ("X", 3_000)]
    assert [one.book and one.book[0] for one in found] == [None, 99.0, 99.5]


def test_an_interruption_lets_go_of_what_waits_and_the_old_book_is_gone():
    messages = [book(1, 1_500, 99, snapshot=True), closed(2_000), DOWN, UP, book(2, 2_600, 98), closed(3_000)]
    found = told(source(*messages))
    assert [type(one) for one in found] == [Candle, StreamState, StreamState, Candle]
    assert found[0].book == (99.0, 1.0, 101.0, 2.0)
    assert found[3].book is None


def test_candles_that_history_brings_have_the_books_that_were_heard():
    heard = source(book(1, 1_500, 99, snapshot=True), book(2, 2_500, 99.5))
    assert told(heard) == []
    found = asyncio.run(heard.history("X", 0, 3_000))
    assert [one.book and one.book[0] for one in found] == [None, 99.0, 99.5]
    assert asyncio.run(heard.history("Y", 0, 1_000))[0].book is None


def test_what_was_not_heard_is_asked_of_a_recording():
    from dataclasses import replace

    def past(symbol, candles):
        return [replace(one, book=(7.0, 7.0, 7.0, 7.0)) for one in candles]

    heard = source(book(1, 1_500, 99, snapshot=True), past=past)
    told(heard)
    assert [one.book[0] for one in asyncio.run(heard.history("X", 0, 2_000))] == [7.0, 99.0]


def test_the_patience_is_a_few_seconds_at_most():
    with pytest.raises(ValueError, match="less than or equal to 30"):
        Config(patience_seconds=31)
