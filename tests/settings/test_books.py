import pytest

from triptych.domain.errors import RecipeError
from triptych.images import create_encoding
from triptych.models import create_model
from triptych.settings.books import BookRecipe, book_recipe_text, load_book_recipe, shipped_book_recipes


def test_the_shipped_recipes_of_books_are_these():
    assert shipped_book_recipes() == ("deeplob", "fi2010", "heatmap")


@pytest.mark.parametrize("name", shipped_book_recipes())
def test_every_shipped_recipe_can_be_built(name):
    recipe = load_book_recipe(name)
    encoding = create_encoding(length=recipe.length, **recipe.encoding)
    assert len(encoding.columns) == 4 * recipe.data.levels
    create_model(in_chans=encoding.channels, num_classes=3, **recipe.model)
    assert book_recipe_text(name)[0].startswith("# ")


def test_keys_are_changed_and_a_file_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("seed = 4\n[target]\nhorizon = 20\n", encoding="utf-8")
    recipe = load_book_recipe(str(path), ["training.epochs=3", "model.name=lenet5"])
    assert (recipe.seed, recipe.target.horizon, recipe.training.epochs) == (4, 20, 3)
    assert recipe.model == {"name": "lenet5"}


def test_mistakes_are_named(tmp_path):
    with pytest.raises(RecipeError) as caught:
        load_book_recipe("deeplobb")
    assert str(caught.value) == (
        "There is no recipe of order books 'deeplobb': neither a file nor a shipped recipe. Shipped recipes: deeplob, "
        "fi2010, heatmap."
    )
    with pytest.raises(RecipeError, match="horizn"):
        load_book_recipe("deeplob", ["target.horizn=3"])
    with pytest.raises(ValueError, match=r"model\.name must say which one"):
        BookRecipe(model={"width": 1.0})
