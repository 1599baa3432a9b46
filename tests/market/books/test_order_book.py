from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.domain import BookUpdate
from triptych.domain.errors import DataError
from triptych.market.books import BookResult, BookStatus, OrderBook


def levels(*pairs):
    return tuple((Decimal(price), Decimal(size)) for price, size in pairs)


def update(number, *, bids=(), asks=(), snapshot=False, seq=None, symbol="TEST"):
    return BookUpdate(
        symbol=symbol, is_snapshot=snapshot, bids=levels(*bids), asks=levels(*asks), update_id=number, sequence=seq,
        exchange_time_ns=number * 1_000_000,
    )  # fmt: skip


SNAPSHOT = update(10, bids=[("99", "1"), ("98.5", "2")], asks=[("100", "3"), ("101", "4")], snapshot=True, seq=500)


def book_at_10():
    book = OrderBook("TEST")
    assert book.apply(SNAPSHOT) == BookResult(status=BookStatus.RESET, applied=1)
    return book


def test_a_delta_sets_inserts_and_deletes_levels():
    book = book_at_10()
    result = book.apply(update(11, bids=[("99", "0"), ("98.50", "5"), ("98.7", "6")], asks=[("99.5", "7")], seq=501))
    assert result == BookResult(status=BookStatus.APPLIED, applied=1)
    assert book.bids() == levels(("98.7", "6"), ("98.5", "5"))
    assert book.asks(2) == levels(("99.5", "7"), ("100", "3"))
    assert book.best_bid == (Decimal("98.7"), Decimal(6))
    assert book.best_ask == (Decimal("99.5"), Decimal(7))
    assert (book.update_id, book.sequence) == (11, 501)


def test_a_price_written_with_another_number_of_zeros_is_the_same_level():
    book = book_at_10()
    book.apply(update(11, bids=[("99.000", "8")]))
    assert book.bids() == levels(("99", "8"), ("98.5", "2"))


def test_a_row_has_the_columns_of_an_encoding_and_nan_where_there_is_no_level():
    book = book_at_10()
    book.apply(update(11, asks=[("101", "0")]))
    np.testing.assert_array_equal(book.row(2), [99, 98.5, 1, 2, 100, np.nan, 3, np.nan])


def test_a_snapshot_for_the_engine_has_the_time_of_the_last_message():
    snapshot = book_at_10().snapshot(1)
    assert (snapshot.time_ms, snapshot.bids, snapshot.asks) == (10, ((99.0, 1.0),), ((100.0, 3.0),))


def test_a_missing_message_asks_for_a_resync_and_the_book_refuses_to_be_read_until_the_snapshot():
    book = book_at_10()
    result = book.apply(update(13, bids=[("99", "9")]))
    assert result == BookResult(status=BookStatus.GAP, reason="update 13 after 10: 2 missing")
    assert result.needs_resync
    assert not book.is_synchronised
    with pytest.raises(DataError) as caught:
        book.bids()
    assert str(caught.value) == (
        "The book of TEST is not synchronised: it has had no snapshot yet, or has lost a message. "
        "Fetch a snapshot or subscribe again before you read it."
    )
    assert book.apply(update(14)).status is BookStatus.WAITING
    assert book.apply(replace(SNAPSHOT, update_id=20)).status is BookStatus.RESET
    assert book.bids(1) == levels(("99", "1"))
    assert book.counts == {BookStatus.RESET: 2, BookStatus.GAP: 1, BookStatus.WAITING: 1}


def test_a_message_that_comes_twice_changes_nothing():
    book = book_at_10()
    delta = update(11, bids=[("99", "4")])
    book.apply(delta)
    assert book.apply(delta) == BookResult(status=BookStatus.STALE, reason="update 11 after 11")
    assert book.is_synchronised
    assert book.bids(1) == levels(("99", "4"))


def test_messages_in_the_wrong_order_are_a_gap():
    book = book_at_10()
    assert book.apply(update(12)).status is BookStatus.GAP


def test_update_id_1_is_a_new_book_after_a_restart_of_the_service():
    book = book_at_10()
    restart = update(1, bids=[("50", "1")], asks=[("51", "1")])
    assert book.apply(restart).status is BookStatus.RESET
    assert (book.bids(), book.asks()) == (levels(("50", "1")), levels(("51", "1")))
    assert book.apply(update(2)).status is BookStatus.APPLIED


def test_an_old_snapshot_delivered_late_does_not_turn_the_book_back():
    book = book_at_10()
    book.apply(update(11, bids=[("99", "4")], seq=510))
    assert book.apply(SNAPSHOT) == BookResult(status=BookStatus.STALE, reason="snapshot with seq 500 after 510")
    assert book.bids(1) == levels(("99", "4"))


def test_a_falling_cross_stream_sequence_is_not_trusted():
    result = book_at_10().apply(update(11, seq=499))
    assert result == BookResult(status=BookStatus.GAP, reason="update 11 follows 10, but seq fell from 500 to 499")


def test_a_crossed_book_asks_for_a_resync():
    book = book_at_10()
    result = book.apply(update(11, bids=[("100", "1")]))
    assert result == BookResult(status=BookStatus.CROSSED, reason="best bid 100 >= best ask 100")
    assert result.needs_resync
    assert not book.is_synchronised


def test_under_no_protocol_a_crossed_book_is_not_given_and_goes_on_when_it_is_no_longer_crossed():
    book = OrderBook("TEST", "none")
    book.apply(SNAPSHOT)
    result = book.apply(update(11, bids=[("100", "1")]))
    assert result == BookResult(status=BookStatus.CROSSED, reason="best bid 100 >= best ask 100", applied=1)
    assert not result.needs_resync
    assert not book.is_synchronised
    with pytest.raises(DataError) as caught:
        book.bids()
    assert str(caught.value) == (
        "The book of TEST is crossed: best bid 100 >= best ask 100. Read it after the next message that uncrosses it."
    )
    assert book.apply(update(12, bids=[("100", "0")])).status is BookStatus.APPLIED
    assert book.bids(1) == levels(("99", "1"))
    assert book.counts == {BookStatus.RESET: 1, BookStatus.CROSSED: 1, BookStatus.APPLIED: 1}


def test_under_no_protocol_the_later_of_two_sizes_of_a_price_holds():
    book = OrderBook("TEST", "none")
    book.apply(SNAPSHOT)
    assert book.apply(update(11, bids=[("99", "5"), ("99.0", "6")])).status is BookStatus.APPLIED
    assert book.bids(1) == levels(("99", "6"))


@pytest.mark.parametrize(
    ("bids", "reason"),
    [
        ([("99", "-1")], "bid of size -1 at price 99"),
        ([("0", "1")], "bid of size 1 at price 0"),
        ([("NaN", "1")], "bid of size 1 at price NaN"),
        ([("99", "Infinity")], "bid of size Infinity at price 99"),
        ([("99", "1"), ("99.0", "2")], "a bid price stands twice in one message"),
    ],
)
def test_a_message_that_cannot_be_right_is_not_applied_at_all(bids, reason):
    book = book_at_10()
    result = book.apply(update(11, bids=[("98", "7"), *bids]))
    assert result == BookResult(status=BookStatus.INVALID, reason=reason)
    assert result.needs_resync
    book.apply(replace(SNAPSHOT, update_id=12, bids=()))
    assert book.bids() == ()
    assert book.best_bid is None


def test_a_message_of_another_instrument_is_a_mistake_of_ours():
    with pytest.raises(DataError) as caught:
        book_at_10().apply(update(11, symbol="OTHER"))
    assert str(caught.value) == "The book of TEST was given a message of OTHER."


def binance(first, last, previous, *bids):
    return BookUpdate(
        symbol="TEST", is_snapshot=False, bids=levels(*bids), first_update_id=first, update_id=last,
        previous_update_id=previous,
    )  # fmt: skip


BINANCE_SNAPSHOT = BookUpdate(
    symbol="TEST", is_snapshot=True, bids=levels(("99", "1")), asks=levels(("100", "1")), update_id=105
)


def test_binance_deltas_that_came_before_the_snapshot_are_applied_after_it():
    book = OrderBook("TEST", "binance_usdm")
    for delta in (binance(90, 100, 89, ("97", "1")), binance(101, 106, 100, ("99", "6")), binance(108, 110, 106)):
        assert book.apply(delta).status is BookStatus.WAITING
    assert book.apply(BINANCE_SNAPSHOT) == BookResult(status=BookStatus.RESET, applied=3)
    assert book.bids() == levels(("99", "6"))
    assert book.update_id == 110
    assert book.apply(binance(111, 112, 110)).status is BookStatus.APPLIED


def test_binance_first_delta_must_reach_back_to_the_snapshot():
    book = OrderBook("TEST", "binance_usdm")
    book.apply(BINANCE_SNAPSHOT)
    assert book.apply(binance(90, 104, 89)).status is BookStatus.STALE
    assert book.apply(binance(107, 109, 106)) == BookResult(
        status=BookStatus.GAP, reason="update 107..109 does not reach back to the snapshot 105"
    )


def test_binance_delta_that_does_not_follow_is_a_gap_and_waits_for_the_next_snapshot():
    book = OrderBook("TEST", "binance_usdm")
    book.apply(BINANCE_SNAPSHOT)
    book.apply(binance(104, 110, 103))
    assert book.apply(binance(120, 125, 119, ("99", "7"))) == BookResult(
        status=BookStatus.GAP, reason="update 125 follows 119, but the last one was 110"
    )
    assert book.apply(replace(BINANCE_SNAPSHOT, update_id=122)) == BookResult(status=BookStatus.RESET, applied=2)
    assert book.bids() == levels(("99", "7"))


def test_binance_snapshot_older_than_the_stream_is_refused():
    book = OrderBook("TEST", "binance_usdm")
    book.apply(binance(120, 125, 119))
    result = book.apply(BINANCE_SNAPSHOT)
    assert result.status is BookStatus.GAP
    assert result.reason == (
        "update 120..125 does not reach back to the snapshot 105; the snapshot is older than the stream"
    )
    assert book.apply(replace(BINANCE_SNAPSHOT, update_id=121)).status is BookStatus.RESET


def test_a_stream_whose_numbers_only_rise_drops_what_is_old():
    book = OrderBook("TEST", "rising")
    book.apply(replace(SNAPSHOT, sequence=7))
    assert book.apply(replace(update(0, bids=[("99", "2")]), sequence=20)).status is BookStatus.APPLIED
    assert book.apply(replace(update(0), sequence=20)).status is BookStatus.STALE


changes = st.lists(
    st.tuples(st.booleans(), st.integers(0, 30), st.integers(0, 5)), max_size=8, unique_by=lambda c: (c[0], c[1])
)


@settings(max_examples=150, deadline=None)
@given(st.lists(changes, max_size=30))
def test_any_sequence_of_deltas_gives_the_book_of_a_plain_dictionary(messages):
    book = OrderBook("TEST")
    book.apply(SNAPSHOT)
    naive = {False: {Decimal(99): 1, Decimal("98.5"): 2}, True: {Decimal(100): 3, Decimal(101): 4}}
    for number, message in enumerate(messages, start=11):
        bids, asks = [], []
        for is_ask, step, size in message:
            price = Decimal(100) + Decimal(step) / 2 if is_ask else Decimal(99) - Decimal(step) / 2
            (asks if is_ask else bids).append((price, Decimal(size)))
            if size:
                naive[is_ask][price] = size
            else:
                naive[is_ask].pop(price, None)
        delta = BookUpdate(symbol="TEST", is_snapshot=False, bids=tuple(bids), asks=tuple(asks), update_id=number)
        assert book.apply(delta).status is BookStatus.APPLIED
        assert book.bids() == tuple(sorted(naive[False].items(), reverse=True))
        assert book.asks() == tuple(sorted(naive[True].items()))


@settings(max_examples=100, deadline=None)
@given(st.permutations(range(11, 17)), st.integers(0, 5))
def test_whatever_the_order_of_arrival_a_synchronised_book_is_the_right_one(order, repeated):
    def delta(number):
        return update(number, bids=[("98", str(number))])

    book = book_at_10()
    for number in [*order, order[repeated]]:
        book.apply(delta(number))
        if book.is_synchronised and book.update_id > 10:
            assert book.bids()[-1] == (Decimal(98), Decimal(book.update_id))
