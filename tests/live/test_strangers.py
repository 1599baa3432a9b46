"""Whose was it? What others trade in the account, told apart from what is ours."""

from decimal import Decimal

import pytest

from triptych.domain import FillReason, OrderFilled, Side
from triptych.live.strangers import CERTAIN_MS, Strangers, are_all_ours, exits


def fill(quantity, reason=FillReason.ORDER, time_ms=1, name=None):
    """A stranger's, of a signed quantity."""
    quantity = Decimal(str(quantity))
    return OrderFilled(
        order_id="", fill_id=name or f"f{time_ms}", symbol="X", side=Side.BUY if quantity > 0 else Side.SELL,
        quantity=abs(quantity), price=Decimal(100), fee=abs(quantity), is_maker=False, time_ms=time_ms,
        reference_price=Decimal(100), reason=reason,
    )  # fmt: skip


def judged(strangers, ours, venue, now_ms=0):
    fills = strangers.pending.get("X", [])
    return strangers.judge("X", fills, ours=Decimal(str(ours)), venue=Decimal(str(venue)), now_ms=now_ms)


def having(*fills, theirs=0):
    strangers = Strangers(theirs={"X": Decimal(str(theirs))} if theirs else {})
    for time_ms, one in enumerate(fills):
        strangers.heard(fill(*one, time_ms=time_ms) if isinstance(one, tuple) else fill(one, time_ms=time_ms))
    return strangers


STOP = FillReason.STOP_LOSS


@pytest.mark.parametrize(
    ("theirs", "fills", "ours", "venue", "closed", "left"),
    [
        (0, [-5], 5, 0, [(-5, FillReason.BY_HAND)], 0),
        (0, [-5, 3], 5, 3, [(-5, FillReason.BY_HAND)], 3),
        (0, [-2], 5, 3, [(-2, FillReason.BY_HAND)], 0),
        (0, [-8], 5, -3, [(-5, FillReason.BY_HAND)], -3),
        (0, [2], 5, 7, [], 2),
        (2, [-2], 5, 5, [], 0),
        (2, [(-7, STOP)], 5, 0, [(-5, STOP)], 0),  # our stop closes what is theirs too
        (5, [(-5, STOP)], 0, 0, [], 0),  # a stop of theirs
        (0, [(-5, STOP)], 5, 0, [(-5, STOP)], 0),  # it has overtaken the fill of our entry
        (0, [3, -3], 5, 5, [], 0),
        (0, [-3, 3], 5, 5, [], 0),  # undone: nothing of ours is missing
        (-1, [-2], -4, -7, [], -3),
    ],
)
def test_theirs_is_reduced_first_then_ours_and_the_rest_is_theirs(theirs, fills, ours, venue, closed, left):
    strangers = having(*fills, theirs=theirs)
    found = judged(strangers, ours, venue)
    assert [(one.side.sign * one.quantity, one.reason) for one in found.fills] == closed
    assert found.unexplained == 0
    assert strangers.theirs.get("X", 0) == left
    assert strangers.pending == {}


def test_a_part_of_a_fill_costs_a_part_of_its_fee():
    (part,) = judged(having((-8, STOP)), 2, -6).fills
    assert (part.quantity, part.fee, part.fill_id) == (2, 2, "f0")


def test_a_list_that_lags_behind_is_waited_for():
    strangers = having(-5)
    assert judged(strangers, 5, 4, now_ms=0) is None
    assert judged(strangers, 5, 4, now_ms=CERTAIN_MS - 1) is None
    (one,) = judged(strangers, 5, 0, now_ms=CERTAIN_MS).fills
    assert one.quantity == 5


def test_what_no_fill_explains_counts_once_it_has_stayed_the_same():
    strangers = Strangers()
    assert judged(strangers, 5, 0, now_ms=100) is None
    assert judged(strangers, 5, 3, now_ms=50_000) is None  # another difference
    assert judged(strangers, 5, 3, now_ms=50_000 + CERTAIN_MS).unexplained == -2
    assert strangers.theirs == {}


def test_what_a_restart_finds_held_by_others_is_theirs():
    strangers = Strangers()
    assert judged(strangers, 5, 7, now_ms=0) is None
    found = judged(strangers, 5, 7, now_ms=CERTAIN_MS)
    assert (found.fills, found.unexplained, strangers.theirs) == ((), 0, {"X": 2})


def test_where_nobody_else_holds_anything_only_stops_that_had_to_wait_are_entered():
    found = exits([fill(-9, STOP, 2, "stop"), fill(-1, time_ms=1)], Decimal(5))
    assert [(one.fill_id, one.quantity) for one in found] == [("stop", 5)]


@pytest.mark.parametrize(
    ("before", "fills", "venue", "ours"),
    [
        (5, [(-5, STOP), -5, (5, STOP)], 0, True),  # stopped, turned by the last order, stopped again
        (5, [(-5, STOP), -5], -5, True),
        (5, [(-3, STOP), (-2, STOP)], 0, True),
        (5, [-5, (-5, STOP), (5, STOP)], 0, False),  # the first closes nothing of ours
        (5, [(-7, STOP)], -2, False),  # it closes more than ours
        (5, [(-5, STOP)], 5, False),  # another's
    ],
)
def test_stops_are_ours_where_each_closes_what_was_held_when_it_was_filled(before, fills, venue, ours):
    made = [fill(*one, time_ms=t) if isinstance(one, tuple) else fill(one, time_ms=t) for t, one in enumerate(fills)]
    stops = {one.fill_id for one in made if one.reason is STOP}
    found = are_all_ours(made[::-1], stops, before=Decimal(before), venue=Decimal(venue))
    assert found is ours
