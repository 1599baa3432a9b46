import tomllib
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from triptych.images import available
from triptych.settings import Recipe, load_recipe, parse_recipe, shipped_recipes
from triptych.settings.recipe import ENCODINGS


def sections(model: type[BaseModel]) -> list[type[BaseModel]]:
    found = [model]
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += sections(field.annotation)
    return found


ALL = [*sections(Recipe), *ENCODINGS.values()]


@pytest.mark.parametrize("name", shipped_recipes())
def test_toml_of_a_shipped_recipe_reads_back_equal(name):
    recipe = load_recipe(name)
    assert parse_recipe(tomllib.loads(recipe.to_toml())) == recipe


@given(
    epochs=st.integers(1, 100_000),
    rate=st.floats(1e-9, 10),
    name=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,20}\Z"),
    symbols=st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), max_size=3),
    columns=st.dictionaries(st.sampled_from(["open", "close"]), st.text("abc \"'\\\n|{}é", max_size=9)),
    stop=st.none() | st.floats(1e-3, 50),
    encoding=st.sampled_from(available()),
)
@settings(max_examples=60, deadline=None)
def test_any_recipe_reads_back_equal(epochs, rate, name, symbols, columns, stop, encoding):
    execution = {} if stop is None else {"stop_loss": stop}
    recipe = parse_recipe(
        {
            "name": name, "data": {"symbols": symbols, "columns": columns}, "encoding": {"name": encoding},
            "training": {"epochs": epochs, "learning_rate": rate}, "execution": execution,
        }
    )  # fmt: skip
    assert parse_recipe(tomllib.loads(recipe.to_toml())) == recipe


def test_every_encoding_can_be_chosen_and_is_drawn_by_its_own_options():
    for name in available():
        recipe = parse_recipe({"encoding": {"name": name}})
        assert recipe.encoding.name == name
        assert set(type(recipe.encoding).model_fields) > {"name"}


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.__name__)
def test_every_key_says_what_it_means_and_every_section_what_it_is(model):
    assert model.__doc__
    for name, field in model.model_fields.items():
        assert field.description, name
        assert not field.is_required(), name


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.__name__)
def test_what_may_be_empty_is_empty_by_default_because_toml_has_no_word_for_nothing(model):
    for name, field in model.model_fields.items():
        if type(None) in typing.get_args(field.annotation):
            assert field.default is None, name


def test_a_recipe_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="Instance is frozen"):
        load_recipe("demo").seed = 5


def test_the_default_channels_show_the_order_book_where_a_recipe_names_one():
    def channels(data: dict[str, object], **encoding: object) -> list[str]:
        recipe = Recipe.model_validate({"data": data, "encoding": {"name": "multi_channel", **encoding}})
        return [one["name"] for one in recipe.model_dump()["encoding"]["channels"]]

    candles = {"source": "file", "path": "candles.parquet"}
    with_book = {**candles, "books": {"path": "books.parquet"}}
    assert channels(candles) == ["candlestick", "volume_profile", "gasf"]
    assert channels(with_book) == ["candlestick", "volume_profile", "book_imbalance"]
    assert channels(with_book, channels=[{"name": "gadf"}]) == ["gadf"]
    again = Recipe.model_validate({"data": with_book, "encoding": {"name": "multi_channel"}})
    assert Recipe.model_validate(again.model_dump()) == again
