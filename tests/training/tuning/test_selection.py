from hypothesis import given
from hypothesis import strategies as st

from triptych.training.tuning.selection import Scored, choose, contenders, pareto


def scored(*rows):
    return [Scored(number=n, skill=skill, error=error, cost=cost) for n, (skill, error, cost) in enumerate(rows)]


def test_the_front_holds_those_that_nobody_beats():
    rows = scored((0.10, 0.0, 5.0), (0.20, 0.0, 9.0), (0.08, 0.0, 6.0), (0.05, 0.0, 1.0), (0.20, 0.0, 12.0))
    assert [one.number for one in pareto(rows)] == [3, 0, 1]


def test_of_equals_the_first_is_on_the_front():
    assert [one.number for one in pareto(scored((0.1, 0.0, 2.0), (0.1, 0.0, 2.0)))] == [0]


def test_the_cheapest_within_one_standard_error_of_the_best_is_chosen():
    rows = scored((0.05, 0.01, 1.0), (0.09, 0.01, 3.0), (0.10, 0.02, 8.0))
    assert choose(rows).number == 1  # 0.10 - 0.02 = 0.08
    assert choose(scored((0.05, 0.01, 1.0), (0.09, 0.01, 3.0), (0.10, 0.005, 8.0))).number == 2
    assert choose(scored((0.05, 0.01, 1.0), (0.09, 0.01, 3.0), (0.10, 0.05, 8.0))).number == 0


def one_class(number, skill, cost):
    return Scored(number=number, skill=skill, error=0.0, cost=cost, says_one=True)


def test_what_says_one_class_only_is_not_chosen_where_another_is_within_one_standard_error():
    rows = [*scored((-0.01, 0.02, 3.0), (-0.03, 0.02, 2.0)), one_class(2, 0.0, 1.0)]
    assert choose(rows).number == 1  # -0.01 is as good as 0, and -0.03 within the error of -0.01
    assert [one.number for one in contenders(rows)] == [0, 1]
    assert choose([*scored((0.05, 0.1, 3.0)), one_class(1, 0.0, 1.0)]).number == 0


def test_what_says_one_class_only_is_chosen_where_all_others_are_worse_or_there_are_none():
    assert choose([*scored((-0.1, 0.02, 3.0)), one_class(1, 0.0, 5.0)]).number == 1
    assert choose([one_class(0, 0.0, 5.0), one_class(1, 0.0, 1.0)]).number == 1


def test_nothing_is_chosen_of_nothing():
    assert choose([]) is None


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 0.5), st.floats(0.01, 100)), min_size=1, max_size=20))
def test_the_chosen_one_is_on_the_front_and_nobody_cheaper_is_better(rows):
    every = scored(*rows)
    chosen = choose(every)
    assert chosen in pareto(every)
    assert not [one for one in every if one.cost <= chosen.cost and one.skill > chosen.skill]
