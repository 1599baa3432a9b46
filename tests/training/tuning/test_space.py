import pytest

from triptych.domain.errors import RecipeError
from triptych.domain.search import Choices, Divisors, Range, Subset
from triptych.training.tuning.space import ImpossibleError, SearchPlan

BASE = {"model.width": 32, "model.heads": 4, "model.name": "a", "training.rate": 0.5, "features.names": ["rsi"]}


class Answers:
    """Stands for a trial of Optuna: gives the answers it was told to, and notes what it was asked."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = {}

    def suggest_float(self, name, low, high, *, log=False):
        self.asked[name] = (low, high, log)
        return self.answers[name]

    def suggest_int(self, name, low, high, *, log=False):
        return self.suggest_float(name, low, high, log=log)

    def suggest_categorical(self, name, choices):
        self.asked[name] = tuple(choices)
        return self.answers[name]


def plan(space):
    return SearchPlan(space, BASE.__getitem__)


def test_values_come_by_key_and_growing_choices_by_their_place():
    space = {
        "training.rate": Range(low=0.1, high=1.0, log=True),
        "model.width": Choices(choices=(16, 32, 64, 128), grows=True),
        "features.names": Choices(choices=(["rsi"], ["macd", "rsi"])),
    }
    trial = Answers(**{"training.rate": 0.2, "model.width": 1, "features.names": '["macd", "rsi"]'})
    found = plan(space).suggest(trial, 0.5)
    assert found.changes == {"training.rate": 0.2, "model.width": 32, "features.names": ["macd", "rsi"]}
    assert found.at_edge  # 32 is the largest of the half that is open
    assert trial.asked["model.width"] == (0, 1, False)
    assert trial.asked["training.rate"] == (0.1, 1.0, True)


def test_heads_come_from_the_divisors_of_the_width_that_was_chosen():
    space = {
        "model.width": Choices(choices=(12, 7, 1)),
        "model.heads": Divisors(divisors_of="model.width", quotient=2, at_most=8),
    }
    trial = Answers(**{"model.width": "12", "model.heads": 3})
    assert plan(space).suggest(trial, 1.0).changes == {"model.width": 12, "model.heads": 4}
    assert trial.asked["model.heads"] == (0, 4, False)  # 1, 2, 3, 4, 6


def test_a_shape_without_a_divisor_is_impossible_and_says_why():
    space = {"model.width": Choices(choices=(1, 4)), "model.heads": Divisors(divisors_of="model.width", quotient=2)}
    with pytest.raises(ImpossibleError) as caught:
        plan(space).suggest(Answers(**{"model.width": "1"}), 1.0)
    assert str(caught.value) == (
        "model.heads: model.width = 1 has no divisor from 1 to 2147483648 that leaves at least 2."
    )


def test_a_subset_is_asked_value_by_value_and_filled_up_where_too_few_are_taken():
    space = {"features.names": Subset(subset_of=("rsi", "macd"), fewest=1)}
    trial = Answers(**{"features.names:rsi": False, "features.names:macd": True})
    assert plan(space).suggest(trial, 1.0).changes == {"features.names": ["macd"]}
    none = {f"features.names:{name}": False for name in ("rsi", "macd", "atr")}
    trial = Answers(**none, **{"features.names:from": "macd"})
    assert plan(space).suggest(trial, 1.0).changes == {"features.names": ["macd"]}
    space = {"features.names": Subset(subset_of=("rsi", "macd", "atr"), fewest=2)}
    trial = Answers(**none | {"features.names:macd": True, "features.names:from": "atr"})
    assert plan(space).suggest(trial, 1.0).changes == {"features.names": ["macd", "atr"]}


def test_a_key_may_stand_twice_under_conditions():
    space = {
        "model.name": Choices(choices=("a", "b")),
        "model.width@small": Choices(choices=(16, 32), when={"model.name": ("a",)}),
        "model.width@large": Choices(choices=(64, 128), when={"model.name": ("b",)}),
    }
    trial = Answers(**{"model.name": '"b"', "model.width@large": "128"})
    assert plan(space).suggest(trial, 1.0).changes == {"model.name": "b", "model.width": 128}


def test_a_condition_on_a_key_that_is_not_searched_asks_the_recipe():
    space = {"training.rate": Range(low=0.1, high=1.0, when={"model.name": ("a",)})}
    assert plan(space).suggest(Answers(**{"training.rate": 0.3}), 1.0).changes == {"training.rate": 0.3}
    assert (
        plan({"training.rate": Range(low=0.1, high=1.0, when={"model.name": ("b",)})}).suggest(Answers(), 1.0).changes
        == {}
    )


def test_one_choice_is_no_question():
    trial = Answers()
    assert plan({"model.width": Choices(choices=(16,))}).suggest(trial, 1.0).changes == {"model.width": 16}
    assert trial.asked == {}


def test_a_starting_point_becomes_what_optuna_would_answer():
    space = {
        "model.width": Choices(choices=(16, 32, 64), grows=True),
        "model.heads": Divisors(divisors_of="model.width", quotient=2),
        "training.rate": Range(low=0.1, high=1.0),
        "features.names": Subset(subset_of=("rsi", "macd")),
    }
    assert plan(space).params_of({"model.width": 64}, 1.0) == {
        "model.width": 2,
        "model.heads": 2,
        "training.rate": 0.5,
        "features.names:rsi": True,
        "features.names:macd": False,
    }
    assert plan(space).params_of({"model.width": 64}, 0.5) is None  # not open yet
    assert plan(space).params_of({"model.width": 48}, 1.0) is None
    assert plan({"training.rate": Range(low=0.6, high=1.0)}).params_of({}, 1.0) == {}  # the recipe's is out of range
    assert plan({"training.rate": Range(low=0.6, high=1.0)}).params_of({"training.rate": 0.5}, 1.0) is None


def test_a_key_that_depends_on_a_later_one_is_refused():
    with pytest.raises(RecipeError) as caught:
        plan({"model.heads": Divisors(divisors_of="model.width"), "model.width": Choices(choices=(16, 32))})
    assert str(caught.value) == (
        "tune.space: model.heads depends on model.width, which is chosen after it. Put model.width before model.heads."
    )


def test_an_empty_space_is_refused():
    with pytest.raises(RecipeError) as caught:
        plan({})
    assert str(caught.value) == "There is nothing to search. Name keys with their ranges under [tune.space]."
