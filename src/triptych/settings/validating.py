"""Settings from plain values, and every mistake in the words of whoever wrote them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from triptych.domain.errors import RecipeError

Settings = TypeVar("Settings", bound=BaseModel)
Encodings = Mapping[str, type[BaseModel]]
NONE: Final[Encodings] = MappingProxyType({})
_WORDS = {
    "a valid tuple": "a list",
    "a valid dictionary or instance of Config": "a section",
    "a valid dictionary or object to extract fields from": "a section",
    "a valid dictionary": "a table",
}
"""What pydantic says, and what a writer of TOML understands."""


def validated(
    model: type[Settings], content: Mapping[str, Any], where: str, *, remedy: str, encodings: Encodings = NONE
) -> Settings:
    """The settings that a TOML document holds. Raises RecipeError that explains every mistake, with this remedy.

    `encodings`: what the section of that name may be, where the settings have one.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = dict.fromkeys(_explain(item, model, encodings) for item in error.errors())
    raise RecipeError(f"{where}: " + " ".join(problems), remedy=remedy)


def _explain(problem: Any, root: type[BaseModel], encodings: Encodings) -> str:
    path, section = _locate(problem["loc"], root, encodings)
    place = ".".join(path) or "recipe"
    if problem["type"] == "extra_forbidden":
        known = list(section.model_fields)
        near = difflib.get_close_matches(path[-1], known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" Known keys: {', '.join(known)}."
        return f"Unknown key {place!r}.{hint}"
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        name = problem["input"].get("name")
        wrong = "encoding.name is missing" if name is None else f"Unknown encoding {name!r}"
        return f"{wrong}. Known encodings: {', '.join(encodings)}."
    message = problem["msg"].removeprefix("Value error, ")
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    got = "" if isinstance(problem["input"], dict | BaseModel) else f" (was {problem['input']!r})"
    return f"{place}: {message.removesuffix('.')}{got}."


def _locate(
    location: Sequence[str | int], root: type[BaseModel], encodings: Encodings
) -> tuple[list[str], type[BaseModel]]:
    """(keys as they stand in the recipe, the section that holds the last of them) of a place in pydantic's words.

    Pydantic adds the chosen encoding's name and the kinds of a union, which nobody wrote.
    """
    path: list[str] = []
    section: type[BaseModel] = root
    child: type[BaseModel] | None = root
    for part in location:
        if child is None:
            path += [str(part)] if isinstance(part, int) else []  # position in a list
        elif path == ["encoding"] and child is root:
            child = encodings[str(part)]
        else:
            section = child
            path.append(str(part))
            field = section.model_fields.get(str(part))
            annotation: Any = None if field is None else field.annotation
            child = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
            if path == ["encoding"] and encodings:
                child = root  # its own section follows with the name of the encoding
    return path, section
