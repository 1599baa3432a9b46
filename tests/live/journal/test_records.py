from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.live.journal.conftest import order, step

from triptych.domain import (
    CancelOrder,
    FillReason,
    FundingPaid,
    MoveStop,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    Side,
)
from triptych.live.journal import NoteWritten, OrderAnswered, Switch, SwitchSet
from triptych.live.journal.records import decode, encode, key_of

FILL = OrderFilled(
    order_id="a", fill_id="f", symbol="BTCUSDT", side=Side.SELL, quantity=Decimal("0.1"), price=Decimal("30000.10"),
    fee=Decimal("-0.00000001"), is_maker=True, time_ms=5, reference_price=Decimal("30000.1"),
    reason=FillReason.STOP_LOSS,
)  # fmt: skip
RECORDS = [
    FILL,
    OrderRejected(order_id="a", symbol="BTCUSDT", time_ms=5, reason="no money"),
    OrderCancelled(order_id="a", symbol="BTCUSDT", time_ms=5),
    FundingPaid(symbol="BTCUSDT", time_ms=8, amount=Decimal("-1.50")),
    OrderAnswered(order_id="a", symbol="BTCUSDT", command="cancel", outcome="unknown", text="time-out"),
    SwitchSet(switch=Switch.KILLED, by="someone", reason="smoke"),
    NoteWritten(topic="reconciliation", text="0.1 BTC more than we knew"),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_was(record):
    assert decode(*encode(record)) == record


def test_a_step_comes_back_with_commands_state_and_predictions_that_are_no_numbers():
    commands = (
        CancelOrder(order_id="old", symbol="BTCUSDT", time_ms=3),
        order("new"),
        MoveStop(order_id="held", symbol="BTCUSDT", time_ms=3, stop_loss=Decimal("29000.5")),
    )
    written = step(commands=commands)
    read = decode(*encode(written))
    assert read.commands == commands
    assert (read.state, read.denials, read.stops) == (written.state, written.denials, written.stops)
    probabilities = read.decisions[0].prediction
    assert probabilities.probability_sell != probabilities.probability_sell
    assert replace(probabilities, probability_sell=0) == replace(written.decisions[0].prediction, probability_sell=0)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_amounts_keep_every_digit(amount):
    read = decode(*encode(replace(FILL, fee=amount)))
    assert str(read.fee) == str(amount)


def test_what_a_venue_repeats_has_a_key_and_what_we_do_has_none():
    keys = [key_of(record) for record in RECORDS]
    assert keys == ["f", "a", "a", "BTCUSDT 8", None, None, None]
    assert key_of(step(close_ms=7)) == "7"
    assert [key_of(replace(step(close_ms=7), cause=cause)) for cause in ("switch", "stop")] == [None, None]
