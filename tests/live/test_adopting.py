"""Somebody else's trading becomes ours at what was paid for it: the equity does not jump."""

from decimal import Decimal

import pytest
from tests.live.test_faults_of_strangers import by_hand, fills
from tests.live.wired import play

from triptych.domain import OrderFilled, Position, PositionReport, Side
from triptych.live.adopting import adopted


def report(quantity, average):
    return PositionReport(
        symbol="X", quantity=Decimal(quantity), entry_price=Decimal(average), stop_loss=None, take_profit=None,
        updated_ms=1,
    )  # fmt: skip


def taken(ours, venue, known=(), mark=200):
    held, entry = ours
    position = Position(symbol="X", quantity=Decimal(held), entry_price=Decimal(entry))
    return adopted(position, report(*venue), known, mark=Decimal(mark), now_ms=7)


def told(found):
    return [(one.side.sign * one.quantity, one.price) for one in found]


@pytest.mark.parametrize(
    ("ours", "venue", "made"),
    [
        ((1, 100), (2, 150), [(1, 200)]),  # 2 at 150 of which 1 is ours at 100: they have paid 200
        ((-1, 100), (-3, 120), [(-2, 130)]),
        ((0, 0), (2, 150), [(2, 150)]),
        ((2, 100), ("0.5", 100), [("-1.5", 200)]),  # a reduction leaves the average: the mark
        ((2, 100), (0, 0), [(-2, 200)]),
        ((1, 100), (-2, 180), [(-1, 200), (-2, 180)]),  # ours was closed at the mark, theirs opened at the average
        ((1, 100), (2, 40), [(1, 200)]),  # the average cannot be: nobody is paid for buying
        ((1, 100), (1, 100), []),
    ],
)
def test_an_addition_counts_at_what_was_paid_for_it_and_a_reduction_at_the_mark(ours, venue, made):
    found = taken(ours, venue)
    assert told(found) == [(Decimal(quantity), Decimal(price)) for quantity, price in made]
    assert all(one.fee == 0 and one.fill_id.startswith("adopted-X-7") for one in found)
    assert len({one.fill_id for one in found}) == len(found)


def strange(quantity, price, time_ms):
    return OrderFilled(
        order_id="theirs", fill_id=f"s{time_ms}", symbol="X", side=Side.BUY if quantity > 0 else Side.SELL,
        quantity=Decimal(abs(quantity)), price=Decimal(price), fee=Decimal(1), is_maker=False, time_ms=time_ms,
        reference_price=Decimal(price),
    )  # fmt: skip


def test_their_own_fills_count_where_they_make_the_whole_difference():
    found = taken((1, 100), (2, 150), [strange(-1, 250, 3), strange(2, 210, 2)])
    assert told(found) == [(2, 210), (-1, 250)]
    assert [(one.order_id, one.fill_id, one.fee) for one in found] == [("", "s2", 1), ("", "s3", 1)]
    assert told(taken((1, 100), (2, 150), [strange(2, 210, 2)])) == [(1, 200)]


def test_without_a_mark_a_reduction_counts_at_the_average():
    assert told(taken((2, 100), (1, 100), mark=0)) == [(-1, 100)]
    assert told(taken((2, 100), (0, 0), mark=0)) == [(-2, 100)]


@pytest.mark.parametrize("quantity", ["0.1", "-0.2", "-0.7"])
@pytest.mark.parametrize("is_known", [True, False])
def test_the_books_keep_the_equity_of_the_venue_when_a_trade_by_hand_is_adopted(tmp_path, quantity, is_known):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(3)
        scene.wish.says = 0 if quantity == "-0.7" else 1  # after a turn the strategy would sell or buy at once
        desk = scene.server.desk
        if not is_known:  # as of a history that has ended
            desk._execution = lambda row: ("nothing", row)
        await by_hand(scene, "Buy" if quantity[0] != "-" else "Sell", quantity.strip("-"))
        await scene.close()
        ours, theirs = scene.held()
        assert ours == theirs
        books = scene.house.engine.portfolio
        (text,) = scene.told("reconciliation")[-1:]
        assert f"{Decimal(quantity):+}00 of somebody else's trading was adopted at " in text
        # Unknown fills carry no fee and are priced by averages and marks: a few units of 10,000.
        assert abs(books.equity() - float(desk.venue.equity)) < (0.01 if is_known else 15)
        assert [one.fill_id.startswith("adopted-") for one in fills(scene)[1:2]] == [not is_known]

    play(tmp_path, act, policy="adopt")
