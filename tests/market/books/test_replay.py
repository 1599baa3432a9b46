from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.domain import BookUpdate
from triptych.domain.errors import DataError, NotEnoughData
from triptych.market.books import BookStatus, OrderBook, events_of, replay

MS = 1_000_000


def update(number, time_ms, *, bids=(), asks=(), snapshot=False):
    def levels(pairs):
        return tuple((Decimal(price), Decimal(size)) for price, size in pairs)

    return BookUpdate(
        symbol="TEST", is_snapshot=snapshot, bids=levels(bids), asks=levels(asks), update_id=number,
        exchange_time_ns=round(time_ms * MS), local_time_ns=round(time_ms * MS) + 7 * MS,
    )  # fmt: skip


START = update(10, 1_000, bids=[("99.5", "1"), ("99", "2")], asks=[("100", "3")], snapshot=True)
STREAM = [
    START,
    update(11, 1_040.2, bids=[("99.5", "5")]),
    update(12, 1_150, asks=[("100", "0"), ("100.5", "6")]),
    update(13, 1_320, bids=[("99.5", "0")]),
]


def events(updates, protocol="bybit"):
    return events_of(updates, symbol="TEST", protocol=protocol)


def test_a_row_a_message_at_the_first_millisecond_at_which_it_was_true():
    tape = replay(events(STREAM), levels=2).tape
    assert tape.time_ms.tolist() == [1_000, 1_041, 1_150, 1_320]
    np.testing.assert_array_equal(
        tape.rows(2),
        [
            [99.5, 99, 1, 2, 100, np.nan, 3, np.nan],
            [99.5, 99, 5, 2, 100, np.nan, 3, np.nan],
            [99.5, 99, 5, 2, 100.5, np.nan, 6, np.nan],
            [99, np.nan, 2, np.nan, 100.5, np.nan, 6, np.nan],
        ],
    )


def test_a_row_every_100_ms_holds_the_messages_up_to_that_time():
    tape = replay(events(STREAM), levels=1, every_ms=100).tape
    assert tape.time_ms.tolist() == [1_000, 1_100, 1_200, 1_300]
    np.testing.assert_array_equal(tape.rows(1)[:, 1], [1, 5, 5, 5])
    np.testing.assert_array_equal(tape.rows(1)[:, 2], [100, 100, 100.5, 100.5])


def test_the_local_clock_can_be_chosen():
    assert replay(events(STREAM), clock="local").tape.time_ms.tolist() == [1_007, 1_048, 1_157, 1_327]


def test_after_a_gap_there_are_no_rows_until_the_next_snapshot_and_a_new_segment_begins():
    stream = [*STREAM[:2], update(13, 1_200), update(14, 1_300), replace(START, exchange_time_ns=1_500 * MS)]
    replayed = replay(events(stream), levels=1, every_ms=100)
    assert replayed.tape.time_ms.tolist() == [1_000, 1_500]
    assert replayed.tape.segment.tolist() == [0, 1]
    assert replayed.counts == {
        BookStatus.RESET: 2, BookStatus.APPLIED: 1, BookStatus.GAP: 1, BookStatus.WAITING: 1,
    }  # fmt: skip


def test_a_snapshot_in_an_unbroken_stream_breaks_nothing():
    stream = [*STREAM[:2], update(12, 1_350, bids=[("98", "1")], asks=[("100", "1")], snapshot=True)]
    tape = replay(events(stream), levels=1, every_ms=100).tape
    assert tape.time_ms.tolist() == [1_000, 1_100, 1_200, 1_300]
    assert tape.segment.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("protocol", ["bybit", "rising", "none"])
def test_a_snapshot_after_an_outage_begins_a_new_segment_and_nothing_fills_the_hole(protocol):
    hour = 3_600_000
    before = [update(1, 0, bids=[(100, 1)], asks=[(101, 1)], snapshot=True), update(2, 200, bids=[(100, 2)])]
    after = [
        update(5_000, hour, bids=[(200, 1)], asks=[(201, 1)], snapshot=True),
        update(5_001, hour + 200, bids=[(200, 3)]),
    ]
    tape = replay(events(before + after, protocol), levels=1, every_ms=100).tape
    assert tape.time_ms.tolist() == [0, 100, 200, hour, hour + 100, hour + 200]
    assert tape.segment.tolist() == [0, 0, 0, 1, 1, 1]


def test_crossed_moments_are_left_out_and_counted():
    stream = [START, update(11, 1_010, bids=[("100.5", "1")]), update(12, 1_020, bids=[("100.5", "0")])]
    replayed = replay(events(stream), levels=1)
    assert replayed.n_crossed_rows == 1
    assert replayed.tape.time_ms.tolist() == [1_000, 1_020]
    assert replayed.tape.segment.tolist() == [0, 1]


def test_a_stream_without_snapshot_cannot_be_replayed():
    with pytest.raises(NotEnoughData) as caught:
        replay(events(STREAM[1:]))
    assert str(caught.value) == (
        "TEST: none of the 3 messages could be applied: the stream has no snapshot. "
        "Read it together with the file before it, which holds one: read_books([before, this])."
    )


def test_a_clock_that_was_not_recorded_is_refused():
    with pytest.raises(DataError) as caught:
        replay(events([replace(START, local_time_ns=None)]), clock="local")
    assert str(caught.value) == 'TEST: the stream was recorded without local times. Use clock="exchange".'


def test_a_message_without_time_takes_that_of_the_next_one():
    stream = [replace(START, exchange_time_ns=None), *STREAM[1:3]]
    assert replay(events(stream)).tape.time_ms.tolist() == [1_041, 1_041, 1_150]


changes = st.lists(
    st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 4)), max_size=6, unique_by=lambda c: (c[0], c[1])
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(changes, st.integers(0, 9)), max_size=25))
def test_the_compiled_replay_equals_the_live_book_message_by_message(messages):
    stream, book, expected, number = [START], OrderBook("TEST"), [], 10
    for message, luck in messages:
        number += 2 if luck == 9 else 1
        stream.append(
            update(
                number,
                1_000 + number,
                bids=[(str(99.5 - step / 2), str(size)) for is_ask, step, size in message if not is_ask],
                asks=[(str(100 + step / 2), str(size)) for is_ask, step, size in message if is_ask],
                snapshot=luck == 8,
            )
        )
    for one in stream:
        if book.apply(one).applied:
            expected.append(book.row(3))
    np.testing.assert_array_equal(replay(events(stream), levels=3).tape.rows(3), expected)


def test_books_deeper_than_the_first_room_for_them():
    bids = [(str(5_000 - i), "1") for i in range(3_000)]
    stream = [update(10, 1, bids=bids, asks=[("6000", "1")], snapshot=True)]
    tape = replay(events(stream), levels=3_000).tape
    assert tape.bid_prices[0, 0] == 5_000
    assert tape.bid_prices[0, -1] == 2_001
    assert np.isnan(tape.ask_prices[0, 1])
