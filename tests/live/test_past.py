"""The past that a start fetches: candles enough, however long the market was closed."""

import asyncio
import itertools

import numpy as np
import pytest
from tests.fakes.candles import make_series

from triptych.exchanges.simulated.tape import TapeSource
from triptych.live.past import MOST_DOUBLINGS, WEEK_MS, fetch_past

HOUR = 3_600_000
MEMORY = 600


class Asked(TapeSource):
    """Remembers for which times it was asked."""

    def __init__(self, series):
        super().__init__([series], start_ms=int(series.close_time_ms[-1]))
        self.spans = []

    async def history(self, symbol, start_ms, end_ms):
        self.spans.append((start_ms, end_ms))
        return await super().history(symbol, start_ms, end_ms)


def session(days):
    """Seven hours of every weekday."""
    hours = 1_672_617_600_000 + HOUR * np.arange(24 * days)
    open_at = (hours // HOUR % 24 >= 14) & (hours // HOUR % 24 < 21) & ((hours - hours[0]) // (24 * HOUR) % 7 < 5)
    return make_series(hours[open_at], timeframe="1h")


def fetched(series, since_ms=-1, needed=None):
    source = Asked(series)
    now_ms = source.clock.now_ms()
    found = asyncio.run(
        fetch_past(
            source, [series.symbol], series.timeframe, memory=MEMORY, needed=needed, since_ms=since_ms, now_ms=now_ms
        )
    )
    return found, source.spans


@pytest.mark.parametrize("missed", [0, 20])
def test_of_a_market_that_closes_at_night_it_goes_back_until_there_are_candles_enough(missed):
    series = session(400)
    since_ms = int(series.close_time_ms[-1 - missed]) if missed else -1
    found, spans = fetched(series, since_ms)
    closes = series.close_time_ms[: len(series) - missed]
    assert [candle.close_time_ms for (candle,) in found.known] == closes[-MEMORY:].tolist()
    assert [candle.close_time_ms for (candle,) in found.missed] == series.close_time_ms[len(closes) :].tolist()
    assert 2 <= len(spans) <= 1 + MOST_DOUBLINGS
    for (begin, _), (_, end) in itertools.pairwise(spans):
        assert begin == end  # no candle is asked for twice


def test_around_the_clock_it_asks_once():
    series = make_series(1_672_617_600_000 + HOUR * np.arange(3_000), timeframe="1h")
    found, spans = fetched(series)
    assert len(found.known) == MEMORY
    assert spans == [(spans[0][1] - MEMORY * HOUR - WEEK_MS, int(series.close_time_ms[-1]))]


@pytest.mark.parametrize("needed", [5, 50, 599])
def test_of_a_market_that_never_closes_what_is_needed_is_enough(needed):
    series = make_series(1_672_617_600_000 + HOUR * np.arange(3_000), timeframe="1h")
    found, spans = fetched(series, needed=needed)
    assert spans == [(spans[0][1] - needed * HOUR - WEEK_MS, int(series.close_time_ms[-1]))]
    assert len(found.known) == min(needed + 168, MEMORY)


@pytest.mark.parametrize("needed", [5, 50, 599])
@pytest.mark.parametrize("ends", range(0, 42, 6))
def test_of_one_that_closes_all_is_fetched_however_few_are_needed(needed, ends):
    series = session(400)
    series = series.head(len(series) - ends)
    found, spans = fetched(series, needed=needed)
    assert [candle.close_time_ms for (candle,) in found.known] == series.close_time_ms[-MEMORY:].tolist()
    for (begin, _), (_, end) in itertools.pairwise(spans):
        assert begin == end  # no candle is asked for twice


@pytest.mark.parametrize("now_ms", range(0, 168 * HOUR, 5 * HOUR))
def test_a_market_that_closes_on_weekends_is_known_as_one_at_any_time_of_the_week(now_ms):
    hours = 1_672_617_600_000 + HOUR * np.arange(24 * 400)
    series = make_series(hours[(hours - hours[0]) // (24 * HOUR) % 7 < 5], timeframe="1h")
    source, now_ms = Asked(series), int(series.close_time_ms[-1]) - 200 * HOUR + now_ms
    found = asyncio.run(
        fetch_past(source, [series.symbol], series.timeframe, memory=MEMORY, needed=3, since_ms=-1, now_ms=now_ms)
    )
    assert len(found.known) == MEMORY


def test_a_night_between_what_was_asked_first_and_later_is_no_beginning_of_the_history():
    quarters = 1_672_617_600_000 + HOUR // 4 * np.arange(4 * 24 * 900)
    open_at = (quarters % (24 * HOUR) >= 14.5 * HOUR) & (quarters % (24 * HOUR) < 21 * HOUR)
    series = make_series(quarters[open_at & ((quarters - quarters[0]) // (24 * HOUR) % 7 < 5)], timeframe="15m")
    source = Asked(series)
    for needed in range(1_500, 1_800, 20):
        found = asyncio.run(
            fetch_past(source, [series.symbol], series.timeframe, memory=8_916, needed=needed, since_ms=-1,
                       now_ms=int(series.close_time_ms[-1 - needed % 26]))
        )  # fmt: skip
        assert len(found.known) == 8_916


def test_nothing_is_asked_for_before_1970():
    series = make_series(24 * HOUR * np.arange(300), timeframe="1d")
    _, spans = fetched(series)
    assert min(begin for begin, _ in spans) == 0


def test_where_history_begins_it_asks_no_further():
    series = session(80)
    found, spans = fetched(series)
    assert len(found.known) == len(series) < MEMORY
    assert sum(end <= series.open_time_ms[0] for _, end in spans) == 1  # nothing came, and no more is asked


def test_a_market_with_hardly_a_candle_is_not_asked_for_ever():
    series = make_series(1_672_617_600_000 + 400 * HOUR * np.arange(3_000), timeframe="1h")
    _, spans = fetched(series)
    assert len(spans) == 1 + MOST_DOUBLINGS
