"""Reading recipes: files, shipped recipes and overrides; every mistake is named with its remedy."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from triptych.domain.errors import RecipeError
from triptych.settings.recipe import ENCODINGS, Recipe


def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    folder = resources.files("triptych") / "recipes"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def recipe_text(source: str) -> tuple[str, str]:
    """(text, where it was found) of a recipe file or of a shipped recipe. Raises RecipeError when there is none."""
    path = Path(source)
    if path.is_file():
        return path.read_text(encoding="utf-8"), str(path)
    if source in shipped_recipes():
        return (resources.files("triptych") / "recipes" / f"{source}.toml").read_text(encoding="utf-8"), source
    raise RecipeError(
        f"There is no recipe {source!r}: neither a file nor a shipped recipe.",
        remedy=f"Shipped recipes: {', '.join(shipped_recipes())}.",
    )


def load_recipe(source: str, overrides: Sequence[str] = (), changes: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe.

    Args:
        source: path of a TOML file, or the name of a shipped recipe.
        overrides: `key=value` pairs such as `training.epochs=3`; values are TOML, bare words are strings.
        changes: dotted keys with Python values, applied last.

    Raises RecipeError that names every unknown key and wrong value, with the nearest known key.
    """
    text, where = recipe_text(source)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{where} is not TOML: {error}.", remedy="See docs/reference/recipes.") from error
    for override in overrides:
        key, separator, value = override.partition("=")
        if not separator or not key.strip():
            raise RecipeError(f"Cannot read --set {override!r}.", remedy="Write it as key=value: training.epochs=3.")
        _put(content, key.strip(), _toml_value(value.strip()))
    for key, value in (changes or {}).items():
        _put(content, key, value)
    return parse_recipe(content, where)


def parse_recipe(content: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """Validate the content of a recipe. Raises RecipeError as `load_recipe` does."""
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        problems = [_explain(item) for item in error.errors()]
    raise RecipeError(
        f"{where}: " + " ".join(problems), remedy="`triptych recipe show` prints every key with its meaning."
    )


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _put(content: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for part in parents:
        child = content.setdefault(part, {})
        if not isinstance(child, dict):
            raise RecipeError(f"Cannot set {dotted!r}: {part!r} is a value, not a section.")
        content = child
    content[last] = value


def _explain(problem: Any) -> str:
    location = [str(part) for part in problem["loc"]]
    if len(location) > 1 and location[0] == "encoding" and location[1] in ENCODINGS:
        location.pop(1)
    place = ".".join(location)
    if problem["type"] == "extra_forbidden":
        known = _keys_of_section(location[:-1], problem)
        near = difflib.get_close_matches(location[-1], known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" Known keys: {', '.join(known)}."
        return f"Unknown key {place!r}.{hint}"
    if problem["type"] == "union_tag_invalid":
        return f"Unknown encoding {problem['input'].get('name')!r}. Known encodings: {', '.join(ENCODINGS)}."
    message = problem["msg"].removeprefix("Value error, ")
    got = "" if isinstance(problem["input"], dict | BaseModel) else f" (was {problem['input']!r})"
    return f"{place or 'recipe'}: {message}{got}."


def _keys_of_section(path: Sequence[str], problem: Any) -> list[str]:
    section: type[BaseModel] = Recipe
    for name in path:
        if name == "encoding":
            section = ENCODINGS[str(problem["loc"][1])]
            continue
        annotation = section.model_fields[name].annotation
        choices = [annotation] if get_origin(annotation) is None else list(get_args(annotation))
        section = next((c for c in choices if isinstance(c, type) and issubclass(c, BaseModel)), section)
    return list(section.model_fields)
