"""Which encodings a user asked for, with their options: by name, all that the source can feed, or the recipe's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from triptych.bootstrap.rendering.catalogue import fitting, for_view, reads, require_known
from triptych.bootstrap.rendering.looks import View
from triptych.bootstrap.rendering.opening import Opened
from triptych.domain.errors import RecipeError, TriptychError
from triptych.images import available

ALL = "all"
NOT_FOR_PEOPLE = ("book_levels",)
"""Numbers side by side rather than pictures: drawn for people where they are named."""


def wanted_encodings(
    opened: Opened,
    names: Sequence[str],
    options: Mapping[str, Mapping[str, Any]],
    length: int | None,
    *,
    view: View,
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
            problems = {
                one: _problem(one, opened, options.get(one, {}), length, view)
                for one in available()
                if view != "people" or one not in NOT_FOR_PEOPLE
            }
            wanted |= {one: options.get(one, {}) for one, problem in problems.items() if not problem}
            left_out = _left_out(problems)
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


def _left_out(problems: Mapping[str, str]) -> list[str]:
    """One note for each reason."""
    reasons: dict[str, list[str]] = {}
    for name, problem in problems.items():
        if problem:
            reasons.setdefault(problem, []).append(name)
    return [f"left out: {', '.join(names)} ({problem})" for problem, names in reasons.items()]


def _problem(name: str, opened: Opened, options: Mapping[str, Any], length: int | None, view: View) -> str:
    """Why an encoding cannot be drawn from the source; empty when it can."""
    history = opened.histories[0]
    try:
        encoding, _ = for_view(name, length, fitting(name, options, history.offer), view)
        missing = [kind for kind in reads(encoding.columns) if kind not in history.kinds]
        if missing:
            return f"{history.place} holds no {' and no '.join(missing)}"
        history = history.laid_for(encoding)
        values = history.rows(name, encoding.columns)
    except TriptychError as error:
        return error.message.removesuffix(".")
    if not history.can_end(encoding.columns, values, encoding.length).any():
        return f"it holds no {encoding.length} rows one after the other"
    return ""


def _listed() -> str:
    return ", ".join(available())
