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


@pytest.mark.parametrize("protocol", ["bybit", "rising"])
def test_after_a_crossing_there_are_no_rows_until_the_next_snapshot(protocol):
    stream = [
        START,
        update(11, 1_010, bids=[("100.5", "1")]),
        update(12, 1_020, bids=[("100.5", "0")]),
        replace(START, update_id=13, exchange_time_ns=1_030 * MS),
        update(14, 1_040, bids=[("99.5", "7")]),
    ]
    replayed = replay(events(stream, protocol), levels=1)
    assert replayed.tape.time_ms.tolist() == [1_000, 1_030, 1_040]
    assert replayed.tape.segment.tolist() == [0, 1, 1]
    assert replayed.n_crossed_rows == 0
    assert replayed.counts == {
        BookStatus.RESET: 2, BookStatus.CROSSED: 1, BookStatus.WAITING: 1, BookStatus.APPLIED: 1,
    }  # fmt: skip


def test_of_a_file_that_somebody_put_in_order_only_the_crossed_moments_are_left_out():
    stream = [START, update(11, 1_010, bids=[("100.5", "1")]), update(12, 1_020, bids=[("100.5", "0")])]
    replayed = replay(events(stream, "none"), levels=1)
    assert replayed.tape.time_ms.tolist() == [1_000, 1_020]
    assert replayed.tape.segment.tolist() == [0, 0]
    assert replayed.n_crossed_rows == 1
    assert replayed.counts == {BookStatus.RESET: 1, BookStatus.CROSSED: 1, BookStatus.APPLIED: 1}


@pytest.mark.parametrize(
    "bids", [[("99", "-1")], [("0", "1")], [("NaN", "1")], [("99", "Infinity")], [("99", "1"), ("99.0", "2")]]
)
def test_after_a_message_that_cannot_be_right_there_are_no_rows_until_the_next_snapshot(bids):
    stream = [START, update(11, 1_010, bids=[("98", "7"), *bids]), update(12, 1_020), replace(START, update_id=20)]
    replayed = replay(events(stream), levels=3)
    assert replayed.tape.bid_prices[:, 0].tolist() == [99.5, 99.5]
    assert replayed.tape.segment.tolist() == [0, 1]
    assert replayed.counts == {BookStatus.RESET: 2, BookStatus.INVALID: 1, BookStatus.WAITING: 1}


def test_a_stream_whose_only_snapshot_cannot_be_right_says_what_became_of_its_messages():
    crossed = replace(START, bids=((Decimal("100.5"), Decimal(1)),))
    with pytest.raises(NotEnoughData) as caught:
        replay(events([crossed, update(11, 1_010)]))
    assert str(caught.value) == (
        "TEST: no book could be made of the 2 messages: 1 crossed, 1 waiting. "
        "Record the stream again: its snapshots cannot be right."
    )


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


def invented(protocol, messages):
    """A stream of every kind of message: gaps, repetitions, snapshots, crossings, prices twice, negative sizes.

    `messages` are pairs of changes (whether an ask, step, size) and a number from 0 to 19 that says what is odd.
    """
    stream, number = [], 10
    for changes, oddity in [((), 18), *messages]:
        before = number
        number += {0: 2, 1: 0, 2: -1}.get(oddity, 1)
        sides = [[], []]
        for is_ask, step, size in changes:
            price = 100 + step / 2 if is_ask else 127 - step / 2 if step > 50 else 99.5 - step / 2
            wrong = size < 0 and protocol != "none"
            sides[is_ask].append((str(price), "-1" if wrong else str(max(size, 0) // 2)))
        if oddity == 18:
            sides = [[("99.5", "1"), ("99", "2")], [("100", "3")]]
        one = update(number, 1_000 + len(stream), bids=sides[0], asks=sides[1], snapshot=oddity >= 18)
        named = before - 5 if oddity in (1, 2) else before
        stream.append(replace(one, sequence=number, first_update_id=before + 1, previous_update_id=named))
    return stream


def assert_live_and_replayed_agree(protocol, stream):
    book, expected = OrderBook("TEST", protocol), []
    for one in stream:
        if book.apply(one).applied and book.is_synchronised:
            expected.append(book.row(3))
    if not expected:
        with pytest.raises(NotEnoughData):
            replay(events(stream, protocol))
        return
    replayed = replay(events(stream, protocol), levels=3)
    assert replayed.counts == book.counts
    np.testing.assert_array_equal(replayed.tape.rows(3), expected)


changes = st.lists(st.tuples(st.booleans(), st.integers(0, 60), st.integers(-1, 12)), max_size=5)


@settings(max_examples=150, deadline=None)
@given(
    protocol=st.sampled_from(["bybit", "binance_usdm", "rising", "none"]),
    messages=st.lists(st.tuples(changes, st.integers(0, 19)), max_size=30),
)
def test_a_stream_gives_the_same_book_and_the_same_counts_live_and_replayed(protocol, messages):
    assert_live_and_replayed_agree(protocol, invented(protocol, messages))


@pytest.mark.parametrize(
    ("protocol", "never"),
    [
        ("bybit", set()),
        ("binance_usdm", set()),
        ("rising", {BookStatus.GAP}),
        ("none", {BookStatus.GAP, BookStatus.STALE, BookStatus.WAITING, BookStatus.INVALID}),
    ],
)
def test_a_long_stream_with_every_kind_of_message_agrees_too(protocol, never):
    random = np.random.default_rng(7)
    messages = [
        (
            [(bool(random.integers(2)), int(random.integers(0, 54)), int(random.integers(-1, 200))) for _ in range(3)],
            int(random.choice(20, p=[0.02, 0.02, 0.02, *[0.84 / 15] * 15, 0.08, 0.02])),
        )
        for _ in range(3_000)
    ]
    stream = invented(protocol, messages)
    assert_live_and_replayed_agree(protocol, stream)
    assert set(BookStatus) - set(replay(events(stream, protocol)).counts) == never


def test_books_deeper_than_the_first_room_for_them():
    bids = [(str(5_000 - i), "1") for i in range(3_000)]
    stream = [update(10, 1, bids=bids, asks=[("6000", "1")], snapshot=True)]
    tape = replay(events(stream), levels=3_000).tape
    assert tape.bid_prices[0, 0] == 5_000
    assert tape.bid_prices[0, -1] == 2_001
    assert np.isnan(tape.ask_prices[0, 1])
