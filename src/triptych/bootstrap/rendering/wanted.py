"""Which encodings a user asked for, with their options: by name, all that the source can feed, or the recipe's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triptych.bootstrap.rendering.catalogue import fitting, for_view, reads, require_known
from triptych.bootstrap.rendering.histories import History
from triptych.bootstrap.rendering.looks import View
from triptych.bootstrap.rendering.opening import Opened
from triptych.domain.errors import RecipeError, TriptychError
from triptych.images import available

ALL = "all"
NOT_FOR_PEOPLE = ("book_levels",)
"""Numbers side by side rather than pictures: drawn for people where they are named."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is to be drawn.

    Attributes:
        options: of each encoding by its name.
        length: rows of a window; None takes each encoding's usual length.
        lacking: of each instrument, by its symbol, which of these encodings cannot be drawn of it, and why.
        left_out: which encodings, or which of which instrument, are not drawn, and why, in words.
    """

    options: Mapping[str, Mapping[str, Any]]
    length: int | None
    lacking: Mapping[str, Mapping[str, str]]
    left_out: tuple[str, ...]


def wanted_encodings(
    opened: Opened,
    names: Sequence[str],
    options: Mapping[str, Mapping[str, Any]],
    length: int | None,
    *,
    view: View,
    together: bool = False,
) -> Wanted:
    """What a user asked for.

    Args:
        opened: the source.
        names: of encodings; `all` takes those that can be drawn.
        options: of each encoding by its name.
        length: rows of a window, where the user says.
        view: for people or for a network.
        together: an instrument is drawn with all encodings or not at all.

    Raises RecipeError when nothing was asked for, or options of an encoding that is not drawn.
    """
    wanted: dict[str, Mapping[str, Any]] = {}
    lacking: dict[str, dict[str, str]] = {}
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
            nowhere = {}
            for one in available():
                if view == "people" and one in NOT_FOR_PEOPLE:
                    continue
                found = {h.symbol: _problem(one, h, options.get(one, {}), length, view) for h in opened.histories}
                if all(found.values()):
                    nowhere[one] = next(iter(found.values()))
                    continue
                wanted[one] = options.get(one, {})
                for symbol, problem in found.items():
                    if problem:
                        lacking.setdefault(symbol, {})[one] = problem
            left_out = [*_left_out(nowhere), *_short(lacking, together=together)]
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
    return Wanted(options=wanted, length=length, lacking=lacking, left_out=tuple(left_out))


def _left_out(problems: Mapping[str, str]) -> list[str]:
    """One note for each reason."""
    reasons: dict[str, list[str]] = {}
    for name, problem in problems.items():
        reasons.setdefault(problem, []).append(name)
    return [f"left out: {', '.join(names)} ({problem})" for problem, names in reasons.items()]


def _short(lacking: Mapping[str, Mapping[str, str]], *, together: bool) -> list[str]:
    """Notes on instruments of which not all can be drawn that can be of others."""
    if not together:
        return [
            note.replace("left out: ", f"left out of {symbol}: ", 1)
            for symbol, problems in lacking.items()
            for note in _left_out(problems)
        ]
    return [
        f"left out: {symbol}, of which not all can be drawn ("
        + "; ".join(note.removeprefix("left out: ") for note in _left_out(problems))
        + ")"
        for symbol, problems in lacking.items()
    ]


def _problem(name: str, history: History, options: Mapping[str, Any], length: int | None, view: View) -> str:
    """Why an encoding cannot be drawn of an instrument; empty when it can."""
    try:
        encoding, _ = for_view(name, length, fitting(name, options, history.offer), view)
        missing = [kind for kind in reads(encoding.columns) if kind not in history.kinds]
        if missing:
            return f"{history.place} holds no {' and no '.join(missing)}"
        history = history.laid_for(encoding)
        values = history.rows(name, encoding.columns)
    except TriptychError as error:
        return error.message.removeprefix(f"{name}: ").removesuffix(".")
    if not history.can_end(encoding.columns, values, encoding.length).any():
        return f"it holds no {encoding.length} rows one after the other"
    return ""


def _listed() -> str:
    return ", ".join(available())
