import itertools

import pytest
from tests.fakes.tuning import search_recipe

from triptych.domain.errors import RecipeError
from triptych.domain.search import Choices, Divisors
from triptych.models import list_models, search_space
from triptych.models.xlstm import Config as XLSTMConfig
from triptych.settings import load_recipe
from triptych.settings.searching import candidate, longest_reach, search_plan, starting_points, timed


def recipe(space=None, **tune):
    changes = {"tune.space": space or {}} | {f"tune.{key}": value for key, value in tune.items()}
    return load_recipe("chart", (), changes)


def test_without_a_word_the_family_and_the_training_are_searched():
    assert list(search_plan(recipe()).space) == [
        "model.width", "model.depth", "model.drop_rate", "model.drop_path_rate", "training.learning_rate",
        "training.weight_decay", "training.batch_size",
    ]  # fmt: skip


def test_own_keys_take_the_place_of_the_defaults_which_can_be_left_out():
    plan = search_plan(recipe({"model.width": [0.1, 0.2]}))
    assert plan.space["model.width"] == Choices(choices=(0.1, 0.2))
    assert "model.depth" in plan.space
    assert list(search_plan(recipe({"model.width": [0.1, 0.2]}, defaults=False)).space) == ["model.width"]


def test_networks_of_several_families_bring_each_their_own_space():
    plan = search_plan(recipe({"model.name": ["efficientnet_b0", "efficientnet_b1", "googlenet"]}))
    assert next(iter(plan.space)) == "model.name"
    assert plan.space["model.width@0"].when == {"model.name": ("efficientnet_b0", "efficientnet_b1")}
    assert plan.space["model.width@1"].when == {"model.name": ("googlenet",)}
    assert plan.space["model.depth@1"].choices == (1.0,)


def test_a_search_begins_with_the_recipe_and_goes_on_with_the_presets():
    names = [point.name for point in starting_points(recipe())]
    assert names == ["the recipe", *(f"efficientnet_b0 {size}" for size in ("tiny", "small", "medium", "full"))]
    both = starting_points(recipe({"model.name": ["lenet5", "googlenet"]}))
    assert both[1].values == {"model.name": "lenet5", "model.width": 1.0}


def test_all_heads_that_are_drawn_can_be_built():
    space = search_space("xlstm_small").space
    for width, ratio in itertools.product(space["sequence.width"].choices, space["sequence.ratio"].choices):
        for count in space["sequence.heads"].of(width):
            assert XLSTMConfig(width=width, heads=count, blocks=4, ratio=ratio).heads == count


def test_every_preset_lies_in_its_own_space():
    for name in list_models():
        family = search_space(name)
        for preset in family.presets.values():
            for key, value in preset.items():
                dimension = family.space[key]
                if isinstance(dimension, Choices):
                    inside = value in dimension.choices
                elif isinstance(dimension, Divisors):
                    inside = value in dimension.of(preset[dimension.divisors_of.removeprefix("model.")])
                else:
                    inside = dimension.low <= value <= dimension.high
                assert inside, (name, key, value)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (
            {"target.horizon": [3, 5]},
            "tune.space: target.horizon must not vary inside one study: skills at different targets "
            "cannot be compared. Write a "
            "recipe for each target, tune each by itself, and compare their verdicts.",
        ),
        (
            {"costs.taker_fee": [0.0, 0.001]},
            "tune.space: costs.taker_fee must not vary inside one study: candidates would not be "
            "judged alike. Set it in "
            "[costs] for all candidates.",
        ),
        (
            {"seed": [1, 2]},
            "tune.space: seed cannot be searched. Keys of these sections can: model, training, "
            "window, features, encoding, "
            "strategy, sizing, execution.",
        ),
        (
            {"strategy.enter": [0.1, 0.2]},
            "tune.space: strategy.enter changes no prediction, so the skill 'mcc' cannot tell its "
            "values apart. Set tune.skill "
            "= 'sharpe', or leave it out.",
        ),
        (
            {"training.epohcs": [1, 2]},
            "tune.space, training.epohcs: Unknown key 'training.epohcs'. Did you mean 'epochs'? "
            "`triptych recipe show` prints "
            "every key with its meaning.",
        ),
        (
            {"training.epochs": {"choices": [1, 2], "when": {"model.nmae": ["a"]}}},
            "tune.space: the recipe has no key 'model.nmae'. `triptych recipe show` prints every key with its meaning.",
        ),
    ],
)  # fmt: skip
def test_what_must_not_vary_is_refused(space, words):
    with pytest.raises(RecipeError) as caught:
        search_plan(recipe(space))
    assert str(caught.value) == words


def test_trading_may_vary_where_the_skill_is_what_it_earns():
    assert "strategy.enter" in search_plan(recipe({"strategy.enter": [0.1, 0.2]}, skill="sharpe")).space


def test_a_candidate_is_a_recipe_without_search_and_ablation(tmp_path):
    found = candidate(search_recipe(tmp_path), {"model.width": 0.75}, name="micro-tuned")
    assert (found.name, found.model.width) == ("micro-tuned", 0.75)
    assert found.tune == type(found.tune)()


def test_an_encoding_of_factors_is_as_wide_as_they_are_many():
    grid = load_recipe("grid")
    found = candidate(grid, {"features.names": ["rsi_14", "atr_14", "adx"]})
    assert found.encoding.factors == 3
    assert candidate(grid, {"model.width": 0.5}).encoding.factors == grid.encoding.factors


def test_the_longest_reach_is_that_of_space_and_recipe():
    assert longest_reach(recipe(), search_plan(recipe())) == 48
    space = {"window.length": {"low": 16, "high": 60}}
    assert longest_reach(recipe(space), search_plan(recipe(space))) == 60


def test_windows_of_longer_candles_look_back_so_many_times_further():
    hours = load_recipe("chart", (), {"features.period": 4, "tune.space": {"window.length": [24, 30]}})
    assert longest_reach(hours, search_plan(hours)) == 4 * (48 + 1) - 1
    either = load_recipe("chart", (), {"tune.space": {"features.period": [1, 12], "window.length": [24, 48]}})
    assert longest_reach(either, search_plan(either)) == 12 * 49 - 1


def test_a_consensus_is_not_searched_as_one():
    with pytest.raises(RecipeError) as caught:
        search_plan(load_recipe("consensus"))
    assert caught.value.message == "A consensus cannot be searched as one: each of its members is a model of its own."


def sequence(**changes):
    return load_recipe("sequence", (), {"tune.space": {}, **changes})


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, "step"),
        ({"tune.timed": "window"}, "window"),
        ({"model.sequence.pool": "mean"}, "window"),
        ({"model.name": "lstm"}, "window"),
        ({"tune.space": {"model.name": ["xlstm_small", "gru"]}}, "window"),
        ({"tune.space": {"model.name": ["xlstm_small", "xlstm_minutes"]}}, "step"),
        ({"features.period": 4}, "window"),
        ({"tune.timed": "step", "model.name": "xlstm_medium"}, "step"),
    ],
)
def test_the_step_is_timed_where_all_networks_have_one(changes, found):
    recipe = sequence(**changes)
    assert timed(recipe) == found
    assert ("model.sequence.pool" in search_plan(recipe).space) is (
        found == "window" and "model.name" not in recipe.tune.space
    )


def test_steps_of_networks_that_have_none_cannot_be_searched_for():
    with pytest.raises(RecipeError) as caught:
        search_plan(sequence(**{"tune.timed": "step", "model.name": "lstm"}))
    assert str(caught.value) == (
        "tune.timed is 'step', and lstm cannot be asked candle by candle in this recipe. Set tune.timed to window, or "
        "search an xlstm with sequence.pool = last, one timeframe, no adaptive depth, and the encoding `sequence` of "
        "candles as they are."
    )


def test_the_recipe_of_sequences_searches_network_training_window_and_features_in_one_study():
    plan = search_plan(load_recipe("sequence", ()))
    assert set(plan.space) == {
        *(f"model.sequence.{key}" for key in ("width", "blocks", "heads", "ratio", "order", "dropout")),
        *(f"training.{key}" for key in ("learning_rate", "weight_decay", "batch_size")),
        "window.length", "features.names",
    }  # fmt: skip
    point = {"model.sequence.width": 8, "model.sequence.ratio": [1, 1], "model.sequence.order": "last",
             "model.sequence.heads": 2, "features.names": ["patterns", "indicators"]}  # fmt: skip
    assert plan.params_of(point, 1.0) is not None
    found = candidate(load_recipe("sequence", ()), point)
    assert found.encoding.factors == 27
