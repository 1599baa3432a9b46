import asyncio
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.market.books.test_replaying import changes, events, invented, update
from tests.market.books.test_row_reading import Sums

from triptych.domain import Timeframe
from triptych.domain.errors import NotEnoughData
from triptych.market.books import ClosingBook, replay, sample_at
from triptych.market.books.row_reading import notes_of

SECOND = Timeframe.parse("1s")
SNAPSHOT = update(10, 1_500, bids=[("99.5", "1")], asks=[("100", "3")], snapshot=True)


async def nothing():
    pass


def keeper(**options):
    return ClosingBook("TEST", nothing, **{"timeframe": SECOND, "levels": 1, "max_age_ms": 2_000, **options})


def heard(book, *updates):
    async def hear():
        for one in updates:
            await book.on_update(one, 0)

    asyncio.run(hear())
    return book


def test_a_close_has_the_last_book_at_or_before_it_and_never_a_later_one():
    late = update(11, 2_000, bids=[("99.5", "5")])
    later = update(12, 2_001, bids=[("99.5", "9")])
    book = heard(keeper(), SNAPSHOT)
    assert book.at(2_000) == (99.5, 1.0, 100.0, 3.0)
    assert not book.is_past(2_000)
    heard(book, late)
    assert book.at(2_000) == (99.5, 5.0, 100.0, 3.0)
    assert not book.is_past(2_000)
    heard(book, later)
    assert book.at(2_000) == (99.5, 5.0, 100.0, 3.0)
    assert book.is_past(2_000)
    assert book.at(3_000) == (99.5, 9.0, 100.0, 3.0)


def test_before_the_first_book_and_beyond_the_largest_age_there_is_none():
    book = heard(keeper(), SNAPSHOT)
    assert book.at(1_000) is None
    assert book.at(3_000) is not None
    assert book.at(4_000) is None


def test_after_a_gap_the_last_whole_book_stands_until_it_is_too_old():
    book = heard(keeper(), SNAPSHOT, update(13, 1_700, bids=[("99.5", "7")]))
    assert book.at(2_000) == (99.5, 1.0, 100.0, 3.0)
    assert book.at(4_000) is None


def test_a_new_connection_begins_a_new_book_and_forgets_no_close():
    book = heard(keeper(), SNAPSHOT, update(11, 2_100))
    asyncio.run(book.on_interruption())
    heard(book, update(5, 2_700, bids=[("98", "1")], asks=[("98.5", "1")], snapshot=True))
    assert book.at(2_000) == (99.5, 1.0, 100.0, 3.0)
    assert book.at(3_000) == (98.0, 1.0, 98.5, 1.0)


@settings(max_examples=100, deadline=None)
@given(
    messages=st.lists(st.tuples(changes, st.integers(0, 19)), max_size=40),
    step_ms=st.integers(1, 1_500),
    max_age_ms=st.sampled_from([0, 300, 2_000, 10_000]),
)
def test_what_is_heard_live_is_what_a_recording_of_it_says_at_every_close(messages, step_ms, max_age_ms):
    stream = [
        replace(one, exchange_time_ns=(1_000 + i * step_ms) * 1_000_000)
        for i, one in enumerate(invented("bybit", messages))
    ]
    closes = np.arange(1_000, 1_000 + len(stream) * step_ms + 3_000, 1_000)
    book = heard(keeper(levels=3, max_age_ms=max_age_ms), *stream)
    live = [book.at(int(close)) for close in closes]
    try:
        tape = replay(events(stream), levels=3).tape
    except NotEnoughData:
        assert live == [None] * len(closes)
        return
    recorded = sample_at(tape, closes, max_age_ms)
    for row, one, is_stale in zip(recorded.tape.rows(), live, recorded.is_stale, strict=True):
        assert (one is None) == is_stale
        if one is not None:
            np.testing.assert_array_equal(one, row)


@settings(max_examples=100, deadline=None)
@given(messages=st.lists(st.tuples(changes, st.integers(0, 19)), min_size=8, max_size=40), step_ms=st.integers(20, 400))
def test_rows_that_are_read_live_reach_over_no_gap_that_the_recording_has(messages, step_ms):
    reader, max_age_ms = Sums(every_ms=200, rows=4), 1_000
    stream = [
        replace(one, exchange_time_ns=(1_000 + i * step_ms) * 1_000_000)
        for i, one in enumerate(invented("bybit", messages))
    ]
    closes = np.arange(2_000, 1_000 + len(stream) * step_ms + 1_000, 1_000)
    book, live = keeper(levels=3, max_age_ms=max_age_ms, readers=[reader]), {}
    for one in stream:
        heard(book, one)
        live |= {close: book.notes_at(close) for close in closes.tolist() if book.is_past(close) and close not in live}
    live |= {close: book.notes_at(close) for close in closes.tolist() if close not in live}
    try:
        tape = replay(events(stream), levels=3).tape
    except NotEnoughData:
        return
    recorded = notes_of(tape, closes, [reader], max_age_ms)
    for name in reader.names:
        np.testing.assert_array_equal([live[close][name] for close in closes.tolist()], recorded[name])


def test_after_a_gap_and_after_a_new_connection_rows_are_read_once_they_are_all_of_the_new_stretch():
    first = update(10, 1_050, bids=[("99.5", "1")], asks=[("100", "3")], snapshot=True)
    for number in (12, 14):  # one message is missing, a new book comes 100 ms later; or the connection was gone
        book = keeper(levels=2, readers=[Sums(every_ms=200, rows=3)])
        heard(book, first, update(11, 1_500))
        if number == 12:
            asyncio.run(book.on_interruption())
        else:
            heard(book, update(14, 1_600))
        heard(book, update(number + 1, 1_700, bids=[("99.5", "2")], asks=[("100", "3")], snapshot=True))
        heard(book, update(number + 2, 3_500))
        assert np.isnan(book.notes_at(2_000)["bid_sizes"])  # rows of 1.6, 1.8 and 2.0 s
        assert book.notes_at(3_000)["bid_sizes"] == 6.0


@pytest.mark.parametrize("protocol", ["bybit", "none"])
@settings(max_examples=60, deadline=None)
@given(
    messages=st.lists(st.tuples(changes, st.integers(0, 19)), min_size=1, max_size=40), start=st.integers(990, 1_050)
)
def test_a_replay_for_some_times_gives_what_the_whole_one_gives_there(protocol, messages, start):
    stream = events(invented(protocol, messages), protocol)
    times = np.arange(start, start + 40, 7)
    try:
        whole = sample_at(replay(stream, levels=3).tape, times, 20)
    except NotEnoughData:
        return
    some = replay(stream, levels=3, at_ms=times).tape
    assert len(some) <= len(times) + 2
    np.testing.assert_array_equal(sample_at(some, times, 20).tape.rows(), whole.tape.rows())
