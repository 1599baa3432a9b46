"""Options of an encoding as somebody wrote them: validated, or refused in words."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from triptych.domain import Config
from triptych.domain.errors import RecipeError


def configured(name: str, kind: type[Config], options: Mapping[str, Any]) -> Config:
    """The validated options of the encoding `name`. RecipeError names every one that is unknown or wrong."""
    try:
        return kind(**options)
    except ValidationError as error:
        raise RecipeError(
            f"{in_words(name, kind.model_fields, error)}.",
            remedy=f"`triptych encodings {name}` lists the options with their limits.",
        ) from error


def in_words(name: str, known: Collection[str], error: ValidationError) -> str:
    """What is wrong with the options of the encoding `name`, which has the `known` ones: each named once."""
    words: dict[str, str] = {}  # of each option the first that is wrong: others follow from it
    for problem in error.errors():
        option = str(problem["loc"][0]) if problem["loc"] else ""
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(option, known, n=1)
            hint = f"perhaps {near[0]!r} is meant" if near else f"it has: {', '.join(known)}"
            words.setdefault(option, f"{name} has no option {option!r}, {hint}")
        else:
            said = problem["msg"].removeprefix("Value error, ").removesuffix(".")
            place = f"{name}.{option}" if option else name
            got = "" if isinstance(problem["input"], Mapping) and not option else f" (was {problem['input']!r})"
            words.setdefault(option, f"{place}: {said}{got}")
    return "; ".join(words.values())
