import pytest
from tests.fakes.micro import micro_recipe

from triptych.domain.errors import RecipeError
from triptych.settings import Recipe, load_recipe, variants_of
from triptych.settings.variant import Variant


def with_variants(tmp_path, *variants: tuple[str, dict[str, object]]) -> Recipe:
    named = tuple(Variant(name=name, changes=changes) for name, changes in variants)
    return micro_recipe(tmp_path).model_copy(update={"ablation": named})


def test_the_recipe_comes_first_and_every_variant_differs_in_its_changes_only(tmp_path):
    recipe = with_variants(tmp_path, ("longer", {"window.length": 20}), ("chart", {"encoding.name": "candlestick"}))
    found = variants_of(recipe)
    assert list(found) == ["micro", "longer", "chart"]
    assert found["micro"] == recipe.model_copy(update={"ablation": ()})
    assert found["longer"].window.length == 20
    assert found["longer"].model_copy(update={"window": recipe.window}) == found["micro"]
    assert (found["chart"].encoding.name, found["chart"].encoding.height) == ("candlestick", 64)


def test_variants_survive_being_written_down(tmp_path):
    recipe = with_variants(tmp_path, ("without a stop", {"execution.stop_loss": 0.02, "seed": 4}))
    path = tmp_path / "again.toml"
    path.write_text(recipe.to_toml())
    assert load_recipe(str(path)) == recipe


def test_a_wrong_key_of_a_variant_is_named_with_the_variant(tmp_path):
    with pytest.raises(RecipeError) as caught:
        variants_of(with_variants(tmp_path, ("longer", {"window.lenght": 20})))
    assert str(caught.value) == (
        "micro, variant 'longer': Unknown key 'window.lenght'. Did you mean 'length'? "
        "`triptych recipe show` prints every key with its meaning."
    )


def test_a_name_stands_for_one_variant(tmp_path):
    with pytest.raises(RecipeError) as caught:
        variants_of(with_variants(tmp_path, ("a", {"seed": 1}), ("a", {"seed": 2})))
    assert str(caught.value) == "micro: two variants are called 'a'. Give each a name of its own."
