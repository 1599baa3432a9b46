import pytest

from triptych.domain import errors
from triptych.exchanges.bybit.codes import error_of, is_about_rules

KINDS = {
    errors.ClockRefused: (10002,),
    errors.AuthenticationRefused: (10003, 10004, 10005, 10010),
    errors.RateLimited: (10006, 10018, 10429, 20003),
    errors.OutcomeUnknown: (10000, 10016, 10019),
    errors.OrderNotFound: (110001, 170213),
    errors.InsufficientFunds: (110007, 110012, 170131),
    errors.ReduceOnlyRefused: (110017,),
    errors.DuplicateOrderId: (110072, 170141),
    errors.BelowMinimum: (110094, 170140),
    errors.Banned: (10024, 10027),
    errors.ExchangeError: (10001, 999999),
}


@pytest.mark.parametrize(("kind", "code"), [(kind, code) for kind, codes in KINDS.items() for code in codes])
def test_a_code_becomes_its_error(kind, code):
    error = error_of(code, "said so", "POST /v5/order/create")
    assert type(error) is kind
    assert error.code == code
    assert error.message == f"Bybit refused POST /v5/order/create: said so (code {code})."
    assert error.remedy


def test_a_refusal_without_another_meaning_may_be_about_rules():
    kinds = [kind for kind, codes in KINDS.items() if is_about_rules(error_of(codes[0], "", "x"))]
    assert kinds == [errors.BelowMinimum, errors.ExchangeError]
    assert not is_about_rules(errors.ExchangeError("no answer"))


@pytest.mark.parametrize("code", [0, 34040, 110025, 110026, 110043])
def test_success_and_not_modified_are_no_error(code):
    assert error_of(code, "", "x") is None
