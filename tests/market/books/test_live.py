import asyncio
from decimal import Decimal

from triptych.domain import BookUpdate
from triptych.market.books import BookStatus, LiveBook


def update(number, *, bids=(), asks=(), snapshot=False):
    pairs = [tuple((Decimal(price), Decimal(size)) for price, size in side) for side in (bids, asks)]
    return BookUpdate(symbol="X", is_snapshot=snapshot, bids=pairs[0], asks=pairs[1], update_id=number, sequence=number)


SNAPSHOT = update(10, bids=[("99", "1")], asks=[("100", "1")], snapshot=True)


class Venue:
    def __init__(self):
        self.asked = 0

    async def resubscribe(self):
        self.asked += 1


def feed(book, *updates):
    async def all_of_them():
        return [(await book.on_update(one, now)).status for now, one in updates]

    return asyncio.run(all_of_them())


def test_a_gap_is_noticed_at_once_and_a_snapshot_mends_it():
    venue = Venue()
    book = LiveBook("X", venue.resubscribe)
    feed(book, (0, SNAPSHOT), (10, update(11, bids=[("98", "1")])))
    assert book.is_usable(10)
    assert feed(book, (20, update(13))) == [BookStatus.GAP]
    assert (venue.asked, book.resyncs, book.is_usable(20)) == (1, 1, False)
    feed(book, (30, update(14)), (40, update(15)))
    assert venue.asked == 1
    feed(book, (50, update(20, bids=[("97", "1")], asks=[("98", "1")], snapshot=True)))
    assert book.is_usable(50)
    assert book.book.best_bid == (Decimal(97), Decimal(1))


def test_a_crossed_book_is_asked_for_anew():
    venue = Venue()
    book = LiveBook("X", venue.resubscribe)
    assert feed(book, (0, SNAPSHOT), (1, update(11, bids=[("100.5", "1")])))[1] is BookStatus.CROSSED
    assert (venue.asked, book.is_usable(1)) == (1, False)


def test_a_snapshot_that_does_not_come_is_asked_for_again():
    venue = Venue()
    book = LiveBook("X", venue.resubscribe, patience_ms=1000)
    feed(book, (0, SNAPSHOT), (10, update(13)), (900, update(14)), (1011, update(15)), (1020, update(16)))
    assert venue.asked == 2


def test_a_silent_book_is_not_usable():
    book = LiveBook("X", Venue().resubscribe, stale_ms=5000)
    feed(book, (0, SNAPSHOT))
    assert (book.is_usable(5000), book.is_usable(5001)) == (True, False)


def test_after_an_interruption_the_book_waits_for_the_next_snapshot():
    venue = Venue()
    book = LiveBook("X", venue.resubscribe)
    feed(book, (0, SNAPSHOT))
    asyncio.run(book.on_interruption())
    assert not book.is_usable(0)
    assert feed(book, (5, update(11))) == [BookStatus.WAITING]
    assert venue.asked == 0
    feed(book, (6, update(1, bids=[("99", "1")], snapshot=True)))
    assert book.is_usable(6)
