"""Which stop counts, whatever becomes of the orders of a turn."""

from decimal import Decimal
from itertools import permutations

import pytest

from triptych.domain import FillReason, OrderFilled, Side, SubmitOrder
from triptych.live.protections import NOTHING, Protections

LONG, SHORT = (Decimal(95), None), (Decimal(105), None)


def order(name, side, stop=None, **more):
    return SubmitOrder(
        order_id=name, symbol="X", side=side, quantity=Decimal(2), time_ms=0, stop_loss=None if stop is None else stop,
        **more,
    )  # fmt: skip


def fill(name, side, quantity, reason=FillReason.ORDER):
    return OrderFilled(
        order_id=name, fill_id=f"{name}-{quantity}", symbol="X", side=side, quantity=Decimal(quantity),
        price=Decimal(100), fee=Decimal(0), is_maker=False, time_ms=1, reference_price=Decimal(100), reason=reason,
    )  # fmt: skip


def long_that_turns():
    """Long by 2; a close and the entry of a short are under way."""
    protections = Protections({"X": {Side.BUY: LONG}})
    protections.track(order("close", Side.SELL, reduce_only=True))
    protections.track(order("open", Side.SELL, SHORT[0]))
    return protections


@pytest.mark.parametrize("closed", [0, 1, 2])
@pytest.mark.parametrize("opened", [0, 1, 2])
def test_after_any_part_of_a_turn_the_stop_is_that_of_the_side_that_is_held(closed, opened):
    fills = [fill("close", Side.SELL, closed)] * bool(closed) + [fill("open", Side.SELL, opened)] * bool(opened)
    expected = {2: LONG, 1: LONG, 0: NOTHING, -1: SHORT, -2: SHORT}[2 - closed - opened]
    for heard in permutations(fills):
        protections, held = long_that_turns(), Decimal(2)
        for one in heard:
            protections.filled(one)
            held -= one.quantity
        assert protections.of("X", held) == expected
        protections.forget("X", held)  # both orders have come to their end
        assert protections.of("X", held) == expected
        assert protections.of("X", -held or Decimal(1)) == NOTHING


def test_a_stop_that_was_moved_stays_where_it_was_moved_when_more_of_its_order_is_filled():
    protections = Protections()
    protections.track(order("open", Side.BUY, Decimal(95)))
    protections.filled(fill("open", Side.BUY, 1))
    protections.move("X", Decimal(1), Decimal(97))
    protections.filled(fill("open", Side.BUY, 1))
    assert protections.of("X", Decimal(2)) == (Decimal(97), None)


def test_a_stop_of_the_venue_that_bears_the_entry_s_id_brings_nothing():
    protections = long_that_turns()
    protections.filled(fill("open", Side.SELL, 2, FillReason.STOP_LOSS))
    assert protections.sides == {"X": {Side.BUY: LONG}}
