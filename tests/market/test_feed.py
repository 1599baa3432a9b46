import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.domain import Candle, Timeframe
from triptych.domain.errors import DataError
from triptych.market.feed import CandleFeed, Gap

MINUTE = 60_000
TIMEFRAME = Timeframe(MINUTE)


def candle(symbol, minute, price=100.0, timeframe=TIMEFRAME):
    return Candle(
        symbol=symbol, timeframe=timeframe, open_time_ms=minute * MINUTE, open=price, high=price, low=price,
        close=price, volume=1.0,
    )  # fmt: skip


def left(batches):
    """Close in minutes, symbols, whether late."""
    return [(b.close_ms // MINUTE, "".join(c.symbol for c in b.candles), b.is_late) for b in batches]


def test_candles_of_one_close_leave_together():
    feed = CandleFeed(["A", "B"], TIMEFRAME)
    feed.on_candle(candle("A", 5))
    assert feed.due(6 * MINUTE) == []
    feed.on_candle(candle("B", 5))
    assert left(feed.due(6 * MINUTE)) == [(6, "AB", False)]
    assert feed.due(6 * MINUTE) == []


def test_a_silent_instrument_is_not_waited_for_for_ever_and_its_candle_is_late():
    feed = CandleFeed(["A", "B"], TIMEFRAME, patience_ms=5_000)
    for symbol in "AB":
        feed.begin_after(symbol, 4 * MINUTE)
    feed.on_candle(candle("A", 5))
    assert feed.due(6 * MINUTE + 9_999) == []
    assert left(feed.due(6 * MINUTE + 10_000)) == [(6, "A", False)]  # history could not be asked
    feed.on_candle(candle("B", 5))
    feed.on_candle(candle("B", 6))
    feed.on_candle(candle("A", 6))
    assert left(feed.due(7 * MINUTE)) == [(6, "B", True), (7, "AB", False)]


@pytest.mark.parametrize(("told", "leaving"), [([], "A"), ([5], "AB")])
def test_history_tells_an_instrument_that_did_not_trade_from_one_whose_candle_is_late(told, leaving):
    feed = CandleFeed(["A", "B"], TIMEFRAME, patience_ms=5_000)
    for symbol in "AB":
        feed.begin_after(symbol, 4 * MINUTE)
    feed.on_candle(candle("A", 5))
    assert feed.due(6 * MINUTE + 5_000) == []
    (gap,) = feed.silent(6 * MINUTE + 5_000)
    assert gap == Gap(symbol="B", start_ms=5 * MINUTE, end_ms=6 * MINUTE)
    feed.fill(gap, [candle("B", minute) for minute in told])
    assert left(feed.due(6 * MINUTE + 5_000)) == [(6, leaving, False)]


def test_an_instrument_that_never_traded_is_waited_for_once():
    feed = CandleFeed(["A", "B"], TIMEFRAME, patience_ms=5_000)
    feed.on_candle(candle("A", 5))
    assert left(feed.due(6 * MINUTE + 5_000)) == [(6, "A", False)]


def test_repetitions_are_passed_over_and_contradictions_counted():
    feed = CandleFeed(["A"], TIMEFRAME)
    feed.on_candle(candle("A", 5))
    feed.on_candle(candle("A", 5))
    assert left(feed.due(0)) == [(6, "A", False)]
    feed.on_candle(candle("A", 5))
    feed.on_candle(candle("A", 5, price=101.0))
    assert feed.due(0) == []
    assert (feed.repetitions, feed.conflicts) == (2, 1)


def test_behind_a_gap_candles_wait_until_history_has_answered():
    feed = CandleFeed(["A"], TIMEFRAME)
    feed.begin_after("A", 4 * MINUTE)
    feed.on_candle(candle("A", 8))
    assert feed.due(100 * MINUTE) == []
    (gap,) = feed.gaps()
    assert gap == Gap(symbol="A", start_ms=5 * MINUTE, end_ms=8 * MINUTE)
    feed.fill(gap, [candle("A", 5), candle("A", 7)])  # nobody traded in minute 6
    assert left(feed.due(0)) == [(6, "A", False), (8, "A", False), (9, "A", False)]
    assert (feed.gaps(), feed.repaired) == ([], 2)


def test_a_gap_behind_a_gap_is_asked_for_on_its_own():
    feed = CandleFeed(["A"], TIMEFRAME)
    feed.begin_after("A", 4 * MINUTE)
    feed.on_candle(candle("A", 6))
    (gap,) = feed.gaps()
    feed.on_candle(candle("A", 9))
    feed.fill(gap, [candle("A", 5)])
    assert left(feed.due(0)) == [(6, "A", False), (7, "A", False)]
    assert feed.gaps() == [Gap(symbol="A", start_ms=7 * MINUTE, end_ms=9 * MINUTE)]


def test_a_stream_that_lost_its_newest_candle_is_found_silent():
    feed = CandleFeed(["A"], TIMEFRAME, patience_ms=5_000)
    feed.begin_after("A", 4 * MINUTE)
    assert feed.silent(6 * MINUTE + 4_999) == []
    (gap,) = feed.silent(7 * MINUTE + 5_000)
    assert gap == Gap(symbol="A", start_ms=5 * MINUTE, end_ms=7 * MINUTE)
    feed.fill(gap, [candle("A", 5), candle("A", 6)])
    assert left(feed.due(7 * MINUTE + 10)) == [(6, "A", False), (7, "A", False)]
    (gap,) = feed.silent(20 * MINUTE)
    feed.fill(gap, [])
    assert feed.silent(20 * MINUTE + 4_999) == []


def test_history_is_not_asked_about_a_candle_that_has_only_just_closed():
    """What it does not hold yet would pass for what was never traded."""
    feed = CandleFeed(["A"], TIMEFRAME, patience_ms=5_000)
    feed.begin_after("A", 4 * MINUTE)
    (gap,) = feed.silent(7 * MINUTE + 300)  # nobody traded in minute 5, and minute 6 is on its way
    assert gap == Gap(symbol="A", start_ms=5 * MINUTE, end_ms=6 * MINUTE)
    feed.fill(gap, [])
    (gap,) = feed.silent(7 * MINUTE + 5_000)
    assert gap == Gap(symbol="A", start_ms=5 * MINUTE, end_ms=7 * MINUTE)
    feed.fill(gap, [candle("A", 6)])
    assert left(feed.due(0)) == [(7, "A", False)]


def test_nobody_is_waited_for_where_all_candles_of_a_close_have_been_told():
    feed = CandleFeed(["A", "B"], TIMEFRAME)
    for symbol in "AB":
        feed.begin_after(symbol, 4 * MINUTE)
    feed.on_candle(candle("A", 5))
    assert feed.due(6 * MINUTE, told_ms=5 * MINUTE) == []
    assert left(feed.due(6 * MINUTE, told_ms=6 * MINUTE)) == [(6, "A", False)]


def test_without_a_past_the_earliest_candle_begins_whenever_it_comes():
    feed = CandleFeed(["A", "B"], TIMEFRAME)
    feed.on_candle(candle("A", 6))
    feed.on_candle(candle("A", 5))
    feed.on_candle(candle("B", 5))
    feed.on_candle(candle("B", 6))
    assert left(feed.due(0)) == [(6, "AB", False), (7, "AB", False)]
    assert feed.repetitions == 0


def test_a_stream_that_is_faster_than_history_s_answer_lets_no_candle_leave_twice():
    """An instrument was silent, history was asked, and while it answered the stream brought the same candles."""
    feed = CandleFeed(["A"], TIMEFRAME, patience_ms=5_000)
    feed.begin_after("A", 4 * MINUTE)
    (gap,) = feed.silent(8 * MINUTE + 5_000)
    for minute in (5, 6, 7):
        feed.on_candle(candle("A", minute))
    assert left(feed.due(8 * MINUTE)) == [(6, "A", False), (7, "A", False), (8, "A", False)]
    feed.fill(gap, [candle("A", 5), candle("A", 6), candle("A", 7, price=101.0)])
    assert feed.due(8 * MINUTE) == []
    assert (feed.repetitions, feed.conflicts, feed.repaired) == (3, 1, 0)
    feed.on_candle(candle("A", 8))
    assert left(feed.due(9 * MINUTE)) == [(9, "A", False)]


@pytest.mark.parametrize(
    "stranger", [candle("C", 5), candle("A", 5, timeframe=Timeframe(5 * MINUTE)), candle("A", 5.5)]
)
def test_strangers_are_refused(stranger):
    feed = CandleFeed(["A"], TIMEFRAME)
    with pytest.raises(DataError, match="The feed of 1m candles got"):
        feed.on_candle(stranger)


def test_history_that_brings_something_else_is_refused():
    feed = CandleFeed(["A"], TIMEFRAME)
    with pytest.raises(DataError, match="History was asked for A from"):
        feed.fill(Gap(symbol="A", start_ms=0, end_ms=MINUTE), [candle("A", 3)])


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.floats(0, 0.5), st.floats(0, 0.5))
def test_whatever_the_stream_loses_doubles_and_reorders_the_candles_are_those_of_history(seed, lost, doubled):
    random_ = random.Random(seed)
    history = {s: [candle(s, m, price=100 + m) for m in range(1, 40) if random_.random() < 0.95] for s in "AB"}
    for s in "AB":  # both know where they begin and where they end
        history[s] = [candle(s, 0), *history[s], candle(s, 40)]
    feed = CandleFeed(["A", "B"], TIMEFRAME)
    for s in "AB":
        feed.begin_after(s, -MINUTE)
    arriving = [c for s in "AB" for c in history[s] if c.open_time_ms == 40 * MINUTE or random_.random() >= lost]
    arriving += [c for c in arriving if random_.random() < doubled]
    arriving.sort(key=lambda c: c.open_time_ms + random_.uniform(0, 5 * MINUTE))
    out = {"A": [], "B": []}
    closes = []

    def pump(now_ms):
        for gap in feed.gaps():
            feed.fill(gap, [c for c in history[gap.symbol] if gap.start_ms <= c.open_time_ms < gap.end_ms])
        for batch in feed.due(now_ms):
            closes.extend([] if batch.is_late else [batch.close_ms])
            for c in batch.candles:
                out[c.symbol].append(c)

    for c in arriving:
        feed.on_candle(c)
        pump(c.open_time_ms + MINUTE)
    pump(10**9)
    assert out == history
    assert closes == sorted(set(closes))


def test_weeks_begin_on_monday_as_at_the_venue():
    week = Timeframe.parse("1w")
    monday = week.floor(1_700_000_000_000)
    feed = CandleFeed(["A"], week)
    feed.on_candle(candle("A", monday // MINUTE, timeframe=week))
    assert left(feed.due(monday + week.milliseconds)) == [((monday + week.milliseconds) // MINUTE, "A", False)]
    assert feed.silent(monday + 2 * week.milliseconds + 60_000) == [
        Gap(symbol="A", start_ms=monday + week.milliseconds, end_ms=monday + 2 * week.milliseconds)
    ]
    with pytest.raises(DataError, match="The feed of 1w candles got A 1w of "):
        feed.on_candle(candle("A", monday // MINUTE + 1440, timeframe=week))
