import pytest

from triptych.domain.errors import RecipeError
from triptych.settings import load_recipe, members_of, parse_recipe, resolved

TWO = [{"name": "a", "changes": {"model.width": 0.5}}, {"name": "b"}]
WALK = {"kind": "walk_forward", "folds": 2, "train": 0.6, "validation": 0.1, "test": 0.3}


def recipe(**content):
    return parse_recipe({"name": "two", "members": TWO, **content})


def test_a_member_is_the_recipe_with_another_model_in_it():
    found = members_of(recipe(seed=7, target={"horizon": 3}, consensus={"method": "vote"}))
    assert list(found) == ["a", "b"]
    assert (found["a"].name, found["a"].model.width, found["b"].model.width) == ("two-a", 0.5, 1.0)
    assert {one.target.horizon for one in found.values()} == {3}
    assert {one.seed for one in found.values()} == {7}
    assert not any(one.members for one in found.values())
    assert members_of(parse_recipe({})) == {}


def test_a_member_may_take_its_model_from_another_recipe_and_nothing_else():
    content = [{"name": "a", "recipe": "chart", "changes": {"training.epochs": 2}}, {"name": "b"}]
    whole = resolved(recipe(members=content, target={"horizon": 3}))
    assert [member.recipe for member in whole.members] == [None, None]
    found, chart = members_of(whole)["a"], load_recipe("chart")
    assert (found.encoding, found.model, found.window) == (chart.encoding, chart.model, chart.window)
    assert (found.training.epochs, found.target.horizon) == (2, 3)
    assert members_of(parse_recipe_text(whole)) == members_of(whole)  # it needs no other file any more


def parse_recipe_text(whole):
    import tomllib

    return parse_recipe(tomllib.loads(whole.to_toml()))


def test_what_members_share_is_not_theirs_to_change():
    members = [{"name": "a", "changes": {"target.horizon": 3, "costs.taker_fee": 0.0}}, {"name": "b"}]
    with pytest.raises(RecipeError) as caught:
        members_of(recipe(members=members))
    assert str(caught.value) == (
        "two, member 'a' changes costs, target, which all members share. A member may change: window, features, "
        "encoding, model, training, siamese, boosting. Change the rest in the recipe itself."
    )


def test_an_unknown_key_of_a_member_is_named():
    with pytest.raises(RecipeError, match=r"two, member 'a': Unknown key 'model\.widht'\. Did you mean 'width'\?"):
        members_of(recipe(members=[{"name": "a", "changes": {"model.widht": 1}}, {"name": "b"}]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"members": TWO[:1]}, "a consensus takes two or more members with different names, was ['a']"),
        ({"members": [TWO[0], TWO[0]]}, "a consensus takes two or more members with different names, was ['a', 'a']"),
        ({"consensus": {"weights": {"c": 2.0}}}, "[consensus] names c; the members are a, b"),
        ({"consensus": {"side": "c"}}, "[consensus] names c; the members are a, b"),
        (
            {"consensus": {"method": "meta"}},
            "consensus.method = 'meta' learns from out-of-fold predictions: it needs split.kind = 'walk_forward' with "
            "two folds or more",
        ),
    ],
)
def test_a_consensus_that_cannot_be_is_refused(content, message):
    with pytest.raises(RecipeError) as caught:
        recipe(**content)
    assert caught.value.message == f"recipe: recipe: {message}."


def test_regimes_go_with_members_and_are_told_once_for_all_of_them():
    both = recipe(regimes={"use": True, "memory": 40})
    assert both.regimes.use
    assert [(one.regimes.use, one.regimes.memory) for one in members_of(both).values()] == [(False, 480), (False, 480)]


def test_recent_skill_does_not_weigh_by_trading_days():
    days = {"features.names": ["return_1"], "features.day.hours": ["09:30-16:00"]}
    members = [{"name": "a"}, {"name": "b", "changes": days}]
    hold = {"without_prediction": "hold"}  # as recipes of whole days must
    with pytest.raises(RecipeError, match=r"two, member 'b' reads trading days \(features\.day\.hours\)"):
        members_of(recipe(members=members, consensus={"method": "skill"}, split=WALK, execution=hold))
    assert members_of(recipe(members=members, execution=hold))["b"].features.day.hours == ("09:30-16:00",)


def test_a_walk_of_two_folds_lets_a_consensus_learn():
    assert recipe(consensus={"method": "stacking"}, split=WALK).consensus.method == "stacking"


def test_the_shipped_consensus_reads_22_features_and_5_indicators():
    found = members_of(load_recipe("consensus"))
    assert {name: one.features.names for name, one in found.items()} == {
        "patterns": ("patterns",),
        "indicators": ("indicators",),
    }
