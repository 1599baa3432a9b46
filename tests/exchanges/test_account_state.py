"""Whatever the wire does to messages, the account that is left is the same."""

from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.domain import (
    FundingPaid,
    OrderFilled,
    OrderReport,
    OrderStatus,
    PositionReport,
    Side,
    WalletReport,
)
from triptych.exchanges.account_state import AccountState


def order(number, filled, status, updated_ms, reason=""):
    return OrderReport(
        order_id=f"c{number}", venue_id=f"v{number}", symbol="X", side=Side.BUY, quantity=Decimal(3),
        filled=Decimal(filled), status=status, updated_ms=updated_ms, reason=reason,
    )  # fmt: skip


def fill(number, name, quantity, time_ms):
    return OrderFilled(
        order_id=f"c{number}", fill_id=name, symbol="X", side=Side.BUY, quantity=Decimal(quantity), price=Decimal(100),
        fee=Decimal("0.1"), is_maker=False, time_ms=time_ms, reference_price=Decimal(100),
    )  # fmt: skip


def position(quantity, updated_ms, sequence):
    return PositionReport(
        symbol="X", quantity=Decimal(quantity), entry_price=Decimal(100), stop_loss=Decimal(90), take_profit=None,
        updated_ms=updated_ms, sequence=sequence,
    )  # fmt: skip


def wallet(balance, updated_ms):
    return WalletReport(currency="USDT", equity=Decimal(balance), balance=Decimal(balance), updated_ms=updated_ms)


# One order is filled, one is filled in part and cancelled, one is filled in part and rejected. Two changes share a
# millisecond, as they do at the venue.
TAPE = [
    order(1, 0, OrderStatus.OPEN, 1),
    order(1, 1, OrderStatus.PARTIALLY_FILLED, 2), fill(1, "e1", 1, 2), position(1, 2, 10),
    order(1, 3, OrderStatus.FILLED, 2), fill(1, "e2", 2, 2), position(3, 2, 11), wallet(99, 3),
    order(2, 0, OrderStatus.OPEN, 4), fill(2, "e3", 1, 5),
    order(2, 1, OrderStatus.PARTIALLY_FILLED, 5), position(4, 5, 12),
    order(2, 1, OrderStatus.CANCELLED, 6, "CancelByUser"), wallet(98, 6),
    FundingPaid(symbol="X", time_ms=8, amount=Decimal("0.4")), wallet(97, 8),
    order(3, 0, OrderStatus.OPEN, 9), fill(3, "e4", 2, 9), position(6, 9, 14),
    order(3, 2, OrderStatus.REJECTED, 9, "EC_NoEnoughQtyToFill"),
]  # fmt: skip
# What the venue answers when it is asked at the end: the last state of everything.
REFILL = [
    order(1, 3, OrderStatus.FILLED, 2), order(2, 1, OrderStatus.CANCELLED, 6, "CancelByUser"),
    order(3, 2, OrderStatus.REJECTED, 9, "EC_NoEnoughQtyToFill"), fill(1, "e1", 1, 2), fill(1, "e2", 2, 2),
    fill(2, "e3", 1, 5), fill(3, "e4", 2, 9), position(6, 9, 14), wallet(97, 8),
    FundingPaid(symbol="X", time_ms=8, amount=Decimal("0.4")),
]  # fmt: skip


def state_of(messages):
    state = AccountState()
    for message in messages:
        state.apply(message)
    return state


CLEAN = state_of(TAPE)


def test_the_clean_tape_ends_as_written():
    assert [one.status for one in CLEAN.orders.values()] == [
        OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED,
    ]  # fmt: skip
    assert [CLEAN.filled(f"c{n}") for n in (1, 2, 3)] == [3, 1, 2]
    assert CLEAN.positions["X"].quantity == 6
    assert CLEAN.open_orders("X") == []


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from(TAPE), max_size=20).flatmap(lambda more: st.permutations([*TAPE, *more])))
def test_any_reordering_and_repetition_ends_the_same(messages):
    assert state_of(messages).same_as(CLEAN)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from(TAPE), unique_by=id), st.permutations(REFILL), st.data())
def test_what_was_lost_comes_back_by_asking_in_whatever_order(heard, answers, data):
    late = data.draw(st.permutations(heard))
    state = state_of([*heard, *answers, *late])
    assert state.same_as(CLEAN)


@given(st.permutations(TAPE))
def test_what_is_final_never_opens_again_and_what_is_filled_never_shrinks(messages):
    state, seen = AccountState(), []
    for message in messages:
        state.apply(message)
        seen.append({key: (one.status.is_final, one.filled) for key, one in state.orders.items()})
    for before, after in pairwise(seen):
        assert all(after[key][0] >= was[0] and after[key][1] >= was[1] for key, was in before.items())


def test_a_repeated_message_says_nothing_new():
    state = AccountState()
    assert [state.apply(one) for one in TAPE] == [True] * len(TAPE)
    assert [state.apply(one) for one in TAPE] == [False] * len(TAPE)


def test_executions_count_before_the_order_is_told():
    assert state_of([fill(9, "e9", 2, 1)]).filled("c9") == 2
