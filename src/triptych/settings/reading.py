"""Reading recipes: files, shipped recipes and overrides; every mistake is named with its remedy."""

from __future__ import annotations

import copy
import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from triptych.domain.errors import RecipeError
from triptych.settings.recipe import ENCODINGS, Recipe
from triptych.settings.shelf import Shelf

Settings = TypeVar("Settings", bound=BaseModel)


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
    puts = [(key, _toml_value(value)) for key, value in map(_key_and_value, overrides)]
    puts += [(key.split("."), value) for key, value in (changes or {}).items()]
    encoding = content.get("encoding")
    for key, value in puts:
        if key == ["encoding", "name"] and isinstance(encoding, dict) and encoding.get("name") != value:
            content["encoding"] = {}
    for key, value in puts:
        _put(content, key, value)
    return parse_recipe(content, where)


def parse_recipe(content: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """Validate the content of a recipe. Raises RecipeError as `load_recipe` does."""
    return validated(Recipe, content, where, remedy="`triptych recipe show` prints every key with its meaning.")


def validated(model: type[Settings], content: Mapping[str, Any], where: str, *, remedy: str) -> Settings:
    """The settings that a TOML document holds. Raises RecipeError that explains every mistake, with this remedy."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = dict.fromkeys(_explain(item, model) for item in error.errors())
    raise RecipeError(f"{where}: " + " ".join(problems), remedy=remedy)


def put_overrides(content: dict[str, Any], overrides: Sequence[str]) -> None:
    """Set keys of a TOML document, `key=value` each, in place. Raises RecipeError for what cannot be read."""
    for override in overrides:
        key, value = _key_and_value(override)
        _put(content, key, _toml_value(value))


_PART = r"""\s*"[^"]*"\s*|\s*'[^']*'\s*|[^."'=]+"""
"""Of a dotted key: a word, or anything in quotes."""
_ASSIGNMENT = re.compile(rf"(?P<key>(?:{_PART})(?:\.(?:{_PART}))*)=(?P<value>.*)", re.DOTALL)


def _key_and_value(override: str) -> tuple[list[str], str]:
    found = _ASSIGNMENT.fullmatch(override)
    parts = [part.strip() for part in re.findall(_PART, found["key"])] if found else []
    if found is None or not all(parts):
        raise RecipeError(f"Cannot read --set {override!r}.", remedy="Write it as key=value: training.epochs=3.")
    return [part[1:-1] if part[0] in "\"'" else part for part in parts], found["value"].strip()


def _toml_value(text: str) -> Any:
    """A value as TOML reads it; what is not TOML, or more than one value, is text."""
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return found["value"] if len(found) == 1 else text


def _put(content: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *parents, last = path
    for part in parents:
        child = content.setdefault(part, {})
        if not isinstance(child, dict):
            raise RecipeError(
                f"Cannot set {'.'.join(path)!r}: {part!r} is a value, not a section.",
                remedy="`triptych recipe show` prints every key with its meaning.",
            )
        content = child
    content[last] = value


_WORDS = {
    "a valid tuple": "a list",
    "a valid dictionary or instance of Config": "a section",
    "a valid dictionary or object to extract fields from": "a section",
    "a valid dictionary": "a table",
}
"""What pydantic says, and what a writer of TOML understands."""


def _explain(problem: Any, root: type[BaseModel]) -> str:
    path, section = _locate(problem["loc"], root)
    place = ".".join(path) or "recipe"
    if problem["type"] == "extra_forbidden":
        known = list(section.model_fields)
        near = difflib.get_close_matches(path[-1], known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" Known keys: {', '.join(known)}."
        return f"Unknown key {place!r}.{hint}"
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        name = problem["input"].get("name")
        wrong = "encoding.name is missing" if name is None else f"Unknown encoding {name!r}"
        return f"{wrong}. Known encodings: {', '.join(ENCODINGS)}."
    message = problem["msg"].removeprefix("Value error, ")
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    got = "" if isinstance(problem["input"], dict | BaseModel) else f" (was {problem['input']!r})"
    return f"{place}: {message.removesuffix('.')}{got}."


def _locate(location: Sequence[str | int], root: type[BaseModel]) -> tuple[list[str], type[BaseModel]]:
    """(keys as they stand in the recipe, the section that holds the last of them) of a place in pydantic's words.

    Pydantic adds the chosen encoding's name and the kinds of a union, which nobody wrote.
    """
    path: list[str] = []
    section: type[BaseModel] = root
    child: type[BaseModel] | None = root
    for part in location:
        if child is None:
            path += [str(part)] if isinstance(part, int) else []  # position in a list
        elif path == ["encoding"] and child is Recipe:
            child = ENCODINGS[str(part)]
        else:
            section = child
            path.append(str(part))
            field = section.model_fields.get(str(part))
            annotation: Any = None if field is None else field.annotation
            child = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
            if path == ["encoding"]:
                child = Recipe  # its own section follows with the name of the encoding
    return path, section
