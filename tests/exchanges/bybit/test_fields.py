from decimal import Decimal

import pytest

from triptych.domain.errors import ProtocolError
from triptych.exchanges.bybit.fields import Fields, decode

ROW = Fields({"qty": "1.50", "n": "12", "m": 7, "empty": "", "none": None, "flag": True, "word": "Buy"}, "order")


def test_numbers_are_read_from_text_and_keep_their_digits():
    assert str(ROW.decimal("qty")) == "1.50"
    assert (ROW.integer("n"), ROW.integer("m")) == (12, 7)
    assert ROW.optional_decimal("empty") is ROW.optional_decimal("none") is ROW.optional_decimal("absent") is None


def test_an_error_names_message_field_expectation_and_payload():
    with pytest.raises(ProtocolError) as caught:
        Fields({"qty": "abc", "side": "Buy"}, "order").decimal("qty")
    assert str(caught.value) == ('order: field qty: expected a decimal number, was abc, in {"qty":"abc","side":"Buy"}.')


def test_an_absent_field_is_named_as_missing():
    with pytest.raises(ProtocolError) as caught:
        Fields({}, "kline").integer("start")
    assert str(caught.value) == "kline: field start: expected a whole number, was missing, in {}."


@pytest.mark.parametrize("value", ["NaN", "Infinity", "", None, [], True, 1.5, "1e"])
def test_what_is_not_a_finite_number_is_refused(value):
    with pytest.raises(ProtocolError):
        Fields({"x": value}, "row").decimal("x")


def test_a_word_that_is_not_known_is_refused_with_the_known_ones():
    with pytest.raises(ProtocolError) as caught:
        ROW.choice("word", {"Long": 1, "Short": -1})
    assert "expected one of Long, Short, was Buy" in str(caught.value)


def test_zero_means_not_set_where_a_price_is_meant():
    assert Fields({"stopLoss": "0.00"}, "row").positive("stopLoss") is None
    assert Fields({"stopLoss": "4.2"}, "row").positive("stopLoss") == Decimal("4.2")


@pytest.mark.parametrize("text", ["", "{", "[1]", "12", "\x00"])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(ProtocolError, match="REST reply: "):
        decode(text, "REST reply")


def test_long_payloads_are_cut_in_errors():
    with pytest.raises(ProtocolError) as caught:
        Fields({"x": "y" * 1000}, "row").integer("x")
    assert len(str(caught.value)) < 1000
