"""Which encodings a user asked for, with their options: by name, all that the source can feed, or the recipe's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from triptych.bootstrap.rendering.catalogue import make, require_known, usual_length
from triptych.bootstrap.rendering.opening import Opened
from triptych.domain.errors import RecipeError, TriptychError
from triptych.images import available

ALL = "all"


def wanted_encodings(
    opened: Opened, names: Sequence[str], options: Mapping[str, Mapping[str, Any]], length: int | None
) -> tuple[dict[str, Mapping[str, Any]], int | None, list[str]]:
    """(options of each encoding by name, rows of a window, what was left out and why).

    Raises RecipeError when nothing was asked for, or options of an encoding that is not drawn.
    """
    wanted: dict[str, Mapping[str, Any]] = {}
    left_out: list[str] = []
    if opened.recipe is not None:
        length = opened.recipe.window.length if length is None else length
    if not names and opened.recipe is not None:
        names = (opened.recipe.encoding.name,)
    if not names:
        raise RecipeError(
            "No encoding was asked for.", remedy=f"Say --encoding NAME or --encoding all. There are {_listed()}."
        )
    for name in names:
        if name == ALL:
            for one in available():
                problem = _problem(one, opened, options.get(one, {}), length)
                if problem:
                    left_out.append(f"{one} was left out: {problem}")
                else:
                    wanted[one] = options.get(one, {})
        else:
            wanted[require_known(name)] = options.get(name, {})
    if opened.recipe is not None:
        own = opened.recipe.encoding
        if own.name in wanted:  # the recipe says how it is drawn; --set goes before it
            wanted[own.name] = {**own.model_dump(exclude={"name"}), **wanted[own.name]}
    for name in options:
        if require_known(name) not in wanted:
            raise RecipeError(
                f"There are options of {name}, which is not drawn.", remedy=f"Say --encoding {name} as well."
            )
    return wanted, length, left_out


def _problem(name: str, opened: Opened, options: Mapping[str, Any], length: int | None) -> str:
    """Why an encoding cannot be drawn from the source; empty when it can."""
    history = opened.histories[0]
    try:
        encoding, _ = make(name, usual_length(name) if length is None else length, options)
        rows = history.rows(name, encoding.columns)
    except TriptychError as error:
        return error.message
    if not history.can_end(encoding.columns, rows, encoding.length).any():
        return f"no {encoding.length} rows in a row are known of what it reads."
    return ""


def _listed() -> str:
    return ", ".join(available())
