"""Reading recipes: files, shipped recipes and overrides; every mistake is named with its remedy."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from triptych.settings.overrides import key_and_value, put, toml_value
from triptych.settings.recipe import ENCODINGS, Recipe
from triptych.settings.shelf import Shelf
from triptych.settings.validating import validated

_SHELF = Shelf(noun="recipe", remedy="`triptych recipe show` prints a recipe to begin from.")


def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    return _SHELF.names()


def recipe_text(source: str) -> tuple[str, str]:
    """(text, where it was found) of a recipe file or of a shipped recipe. Raises RecipeError as `Shelf.text` does."""
    return _SHELF.text(source)


def load_recipe(source: str, overrides: Sequence[str] = (), changes: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe.

    Args:
        source: path of a TOML file, or the name of a shipped recipe.
        overrides: `key=value` pairs such as `training.epochs=3`; values are TOML, bare words are strings.
        changes: dotted keys with Python values, applied last.

    Raises RecipeError that names every unknown key and wrong value, with the nearest known key.
    """
    content, where = _SHELF.content(source)
    return with_overrides(content, overrides, changes, where=where)


def with_overrides(
    content: dict[str, Any], overrides: Sequence[str], changes: Mapping[str, Any] | None = None, *, where: str
) -> Recipe:
    """The recipe of a TOML document with keys changed; see `load_recipe`. `content` itself stays as it is.

    Another `encoding.name` leaves out the options of the encoding that stood there: they mean nothing to the new one.
    """
    content = copy.deepcopy(content)
    puts = [(key, toml_value(value)) for key, value in map(key_and_value, overrides)]
    puts += [(key.split("."), value) for key, value in (changes or {}).items()]
    encoding = content.get("encoding")
    for key, value in puts:
        if key == ["encoding", "name"] and isinstance(encoding, dict) and encoding.get("name") != value:
            content["encoding"] = {}
    for key, value in puts:
        put(content, key, value)
    return parse_recipe(content, where)


def parse_recipe(content: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """Validate the content of a recipe. Raises RecipeError as `load_recipe` does."""
    remedy = "`triptych recipe show` prints every key with its meaning."
    return validated(Recipe, content, where, remedy=remedy, encodings=ENCODINGS)
