import functools
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from triptych.domain import OrderReport, OrderStatus, Side


def report(filled="0", status=OrderStatus.OPEN, updated_ms=0, **changes):
    fields = {
        "order_id": "a", "venue_id": "v", "symbol": "BTCUSDT", "side": Side.BUY, "quantity": Decimal(3),
        "filled": Decimal(filled), "status": status, "updated_ms": updated_ms,
    }  # fmt: skip
    return OrderReport(**(fields | changes))


def test_more_filled_is_newer_whatever_the_clock_says():
    old, new = report("1", OrderStatus.PARTIALLY_FILLED, 9), report("2", OrderStatus.PARTIALLY_FILLED, 5)
    assert old.newer(new) == new.newer(old) == new


def test_what_is_final_never_opens_again():
    cancelled, late = report("1", OrderStatus.CANCELLED, 5, reason="IOC"), report("1", OrderStatus.OPEN, 9)
    assert late.newer(cancelled) == cancelled.newer(late) == cancelled


def test_a_final_report_that_knows_of_less_keeps_its_status_and_takes_the_amount():
    cancelled, fill = report("1", OrderStatus.CANCELLED, 5, reason="IOC"), report("2", OrderStatus.PARTIALLY_FILLED, 4)
    expected = report("2", OrderStatus.CANCELLED, 5, reason="IOC")
    assert fill.newer(cancelled) == cancelled.newer(fill) == expected


LIFE = [
    report("0", OrderStatus.OPEN, 1),
    report("1", OrderStatus.PARTIALLY_FILLED, 2),
    report("2", OrderStatus.PARTIALLY_FILLED, 2),
    report("2", OrderStatus.CANCELLED, 3, reason="withdrawn"),
]


@given(st.lists(st.sampled_from(LIFE), max_size=8).flatmap(lambda more: st.permutations([*LIFE, *more])))
def test_any_order_with_repeats_ends_the_same(messages):
    assert functools.reduce(lambda known, one: one.newer(known), messages, None) == LIFE[-1]
