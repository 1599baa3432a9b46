"""Whatever the wire does to messages, what the books take in is the same; and no order ends without evidence."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.domain import (
    FillReason,
    FundingPaid,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderReport,
    OrderStatus,
    Side,
    SubmitOrder,
)
from triptych.live.intake import Intake
from triptych.trading.portfolio import Portfolio


def report(number, filled, status, updated_ms, reason=""):
    return OrderReport(
        order_id=f"c{number}", venue_id=f"v{number}", symbol="X", side=Side.BUY, quantity=Decimal(3),
        filled=Decimal(filled), status=status, updated_ms=updated_ms, reason=reason,
    )  # fmt: skip


def fill(number, name, quantity, time_ms, side=Side.BUY, reason=FillReason.ORDER):
    return OrderFilled(
        order_id=f"c{number}", fill_id=name, symbol="X", side=side, quantity=Decimal(quantity), price=Decimal(100),
        fee=Decimal("0.1"), is_maker=False, time_ms=time_ms, reference_price=Decimal(100), reason=reason,
    )  # fmt: skip


ORDERS = [
    SubmitOrder(order_id=f"c{n}", symbol="X", side=Side.BUY, quantity=Decimal(3), time_ms=0) for n in (1, 2, 3, 4, 5)
]
STOP = fill(1, "e5", 2, 10, Side.SELL, FillReason.STOP_LOSS)  # it bears the id of the entry, and is none of its fills
PAID = FundingPaid(symbol="X", time_ms=8, amount=Decimal("0.4"))
# One order is filled, one filled in part and cancelled, one filled in part and rejected, one rejected, one stays open.
# Two changes share a millisecond, as they do at the venue.
TAPE = [
    report(1, 0, OrderStatus.OPEN, 1), report(1, 1, OrderStatus.PARTIALLY_FILLED, 2), fill(1, "e1", 1, 2),
    report(1, 3, OrderStatus.FILLED, 2), fill(1, "e2", 2, 2),
    report(2, 0, OrderStatus.OPEN, 4), fill(2, "e3", 1, 5), report(2, 1, OrderStatus.PARTIALLY_FILLED, 5),
    report(2, 1, OrderStatus.CANCELLED, 6, "CancelByUser"), PAID,
    report(3, 0, OrderStatus.OPEN, 9), fill(3, "e4", 2, 9),
    report(3, 2, OrderStatus.REJECTED, 9, "EC_NoEnoughQtyToFill"),
    report(4, 0, OrderStatus.REJECTED, 9, "EC_PostOnlyWillTakeLiquidity"), STOP,
    report(5, 0, OrderStatus.OPEN, 11), report(5, 1, OrderStatus.PARTIALLY_FILLED, 12), fill(5, "e6", 1, 12),
]  # fmt: skip
# What the venue answers when it is asked at the end: all fills, and the last word on every order.
ANSWERS = [
    *(one for one in TAPE if not isinstance(one, OrderReport)), report(1, 3, OrderStatus.FILLED, 2),
    report(2, 1, OrderStatus.CANCELLED, 6, "CancelByUser"),
    report(3, 2, OrderStatus.REJECTED, 9, "EC_NoEnoughQtyToFill"),
    report(4, 0, OrderStatus.REJECTED, 9, "EC_PostOnlyWillTakeLiquidity"),
    report(5, 1, OrderStatus.PARTIALLY_FILLED, 12),
]  # fmt: skip


def intake():
    found = Intake()
    for order in ORDERS:
        found.track(order)
    return found


def take(into, message):
    return into.on_report(message) if isinstance(message, OrderReport) else into.on_executions([message])


def outcome(messages):
    """What came of them: the events, each as often as it came; what is under way; and the money."""
    into, events, portfolio = intake(), [], Portfolio(Decimal(1_000))
    for message in messages:
        events += take(into, message)
    for event in events:
        portfolio.apply(event)
    held = portfolio.position("X").quantity
    return (
        sorted(map(repr, events)), [one.order_id for one in into.under_way], into.lacks_fills("X"),
        (held, portfolio.cash, portfolio.fees, portfolio.funding),
    )  # fmt: skip


CLEAN = outcome(TAPE)


def test_the_clean_tape_ends_as_written():
    into, events = intake(), []
    for message in TAPE:
        events += take(into, message)
    assert [one.fill_id for one in events if isinstance(one, OrderFilled)] == ["e1", "e2", "e3", "e4", "e5", "e6"]
    assert [type(one) for one in events if one not in TAPE] == [OrderCancelled, OrderCancelled, OrderRejected]
    assert [one.order_id for one in events if one not in TAPE] == ["c2", "c3", "c4"]
    money = Decimal(1_000 - 500 - 1), Decimal("0.6"), PAID.amount
    assert CLEAN[1:] == (["c5"], False, (5, *money))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(TAPE), max_size=20).flatmap(lambda more: st.permutations([*TAPE, *more])))
def test_any_reordering_and_repetition_ends_the_same(messages):
    assert outcome(messages) == CLEAN


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(TAPE), unique_by=id), st.permutations(ANSWERS), st.data())
def test_what_was_lost_comes_back_by_asking_in_whatever_order(heard, answers, data):
    late = data.draw(st.permutations(heard))
    assert outcome([*heard, *answers, *late]) == CLEAN


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(TAPE), max_size=30))
def test_no_order_ends_without_evidence_and_none_that_ended_comes_back(messages):
    into, under_way = intake(), {one.order_id for one in ORDERS}
    filled, said = dict.fromkeys(under_way, Decimal(0)), {}
    seen = set()
    for message in messages:
        take(into, message)
        if isinstance(message, OrderReport) and message.status.is_final:
            said[message.order_id] = message.filled
        elif isinstance(message, OrderFilled) and message is not STOP and message.fill_id not in seen:
            seen.add(message.fill_id)
            filled[message.order_id] += message.quantity
        now = {one.order_id for one in into.under_way}
        ended = {name for name in filled if filled[name] == 3 or (name in said and said[name] <= filled[name])}
        assert now <= under_way
        assert now == {one.order_id for one in ORDERS} - ended
        under_way = now
