import pytest
from pydantic import ValidationError

from triptych.domain.search import Choices, Divisors, Range, Subset


def test_a_range_is_whole_where_both_ends_are():
    assert Range(low=1, high=4).whole
    assert not Range(low=1, high=4.0).whole


def test_a_growing_range_opens_from_its_low_end():
    assert [Range(low=10, high=40, grows=True).upper(share) for share in (1 / 3, 2 / 3, 1.0)] == [20, 30, 40]
    assert Range(low=1e-4, high=1e-2, log=True, grows=True).upper(0.5) == pytest.approx(1e-3)
    assert Range(low=2, high=3, grows=True).upper(0.01) == 3
    assert Range(low=10, high=40).upper(0.1) == 40


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ({"low": 2, "high": 2}, "low must be below high, was 2 and 2"),
        ({"low": 0, "high": 2, "log": True}, "a logarithmic range must lie above 0, low was 0"),
    ],
)
def test_ends_that_make_no_range_are_refused(ends, words):
    with pytest.raises(ValidationError, match=words):
        Range(**ends)


def test_growing_choices_open_from_the_front():
    choices = Choices(choices=(1, 2, 3, 4, 5), grows=True)
    assert [choices.open(share) for share in (0.01, 1 / 3, 2 / 3, 1.0)] == [1, 2, 4, 5]
    assert Choices(choices=(1, 2, 3)).open(0.1) == 3


def test_divisors_leave_at_least_the_quotient():
    heads = Divisors(divisors_of="model.sequence.width", quotient=2, at_most=8)
    assert heads.of(48) == (1, 2, 3, 4, 6, 8)
    assert heads.of(8) == (1, 2, 4)  # eight heads of one would be left with a width of 1
    assert heads.of(7) == (1,)
    assert heads.of(1) == ()


def test_a_condition_takes_lists_for_tuples():
    assert Choices(choices=(1, 2), when={"ratio": ((1, 1),)}).holds({"ratio": [1, 1]})


def test_divisors_may_have_to_divide_another_number_too():
    assert Divisors(divisors_of="model.sequence.width", at_most=8, quotient=2, divides=64).of(48) == (1, 2, 4, 8)


def test_a_subset_has_no_more_values_than_there_are():
    with pytest.raises(ValueError, match="fewest must be at most 1, the number of values, was 2"):
        Subset(subset_of=("rsi",), fewest=2)


def test_a_dimension_matters_only_where_its_condition_holds():
    depth = Choices(choices=(1.0, 2.0), when={"model.name": ("efficientnet_b0", "efficientnet_b1")})
    assert depth.holds({"model.name": "efficientnet_b1"})
    assert not depth.holds({"model.name": "googlenet"})
    assert Subset(subset_of=("a", "b")).holds({})
