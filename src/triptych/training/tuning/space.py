"""From a search space to a candidate: what Optuna is asked, and what its answers mean in a recipe."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from triptych.domain.errors import RecipeError
from triptych.domain.search import Choices, Dimension, Divisors, Range

Lookup = Callable[[str], Any]
"""The value that a dotted key has in the recipe the search began from."""


class Asks(Protocol):
    """What is used of `optuna.trial.Trial`."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """One of several."""


class ImpossibleError(Exception):
    """A candidate that cannot be: the reason in words. It ends a trial, not a search."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What one trial changes in the recipe.

    Attributes:
        changes: values by key.
        at_edge: whether something that grows stands at the largest value that is open.
    """

    changes: Mapping[str, Any]
    at_edge: bool


class SearchPlan:
    """A space with the recipe it starts from."""

    def __init__(self, space: Mapping[str, Dimension], base: Lookup) -> None:
        """Prepare. Raises RecipeError for an empty space and for a key that stands after one that needs it."""
        if not space:
            raise RecipeError("There is nothing to search.", remedy="Name keys with their ranges under [tune.space].")
        self.space = dict(space)
        self._base = base
        places = {key_of(name): place for place, name in reversed(list(enumerate(self.space)))}
        for place, (name, dimension) in enumerate(self.space.items()):
            needed = [*dimension.when, *([dimension.divisors_of] if isinstance(dimension, Divisors) else [])]
            late = [key for key in needed if places.get(key, -1) > place]
            if late:
                raise RecipeError(
                    f"tune.space: {name} depends on {late[0]}, which is chosen after it.",
                    remedy=f"Put {late[0]} before {name}.",
                )

    @property
    def grows(self) -> bool:
        """Whether anything in the space makes a network larger."""
        return any(isinstance(one, Range | Choices) and one.grows for one in self.space.values())

    def suggest(self, trial: Asks, share: float) -> Candidate:
        """Ask for the values of a candidate while `share` of every size is open. Raises ImpossibleError."""
        changes: dict[str, Any] = {}
        at_edge = False
        for name, dimension in self._relevant(changes):
            value, edge = _ask(trial, name, dimension, share, self._value(changes))
            changes[key_of(name)] = value
            at_edge = at_edge or edge
        return Candidate(changes=changes, at_edge=at_edge)

    def params_of(self, values: Mapping[str, Any], share: float) -> dict[str, Any] | None:
        """What Optuna would have to answer for a candidate with these values; None where the open space lacks one.

        Keys that are missing in `values` are taken from the recipe; where the space lacks the recipe's value of a key
        that is no size, Optuna chooses it.
        """
        changes: dict[str, Any] = {}
        params: dict[str, Any] = {}
        wanted = self._value(values)
        for name, dimension in self._relevant(changes):
            value = wanted(key_of(name))
            found = _answer(name, dimension, share, value, wanted)
            if found is None:
                is_size = getattr(dimension, "grows", False)
                if key_of(name) in values or is_size:
                    return None
                continue
            params |= found
            changes[key_of(name)] = value
        return params

    def _relevant(self, changes: Mapping[str, Any]) -> Iterator[tuple[str, Dimension]]:
        """The dimensions that matter, given what has been chosen when each comes."""
        for name, dimension in self.space.items():
            chosen = {key: self._value(changes)(key) for key in dimension.when}
            if dimension.holds(chosen):
                yield name, dimension

    def _value(self, changes: Mapping[str, Any]) -> Lookup:
        return lambda key: changes[key] if key in changes else self._base(key)


def key_of(name: str) -> str:
    """The key of the recipe that a name in a space stands for: what is before an @."""
    return name.partition("@")[0]


def _label(value: Any) -> str:
    return json.dumps(value, default=list)


def _ask(trial: Asks, name: str, dimension: Dimension, share: float, value_of: Lookup) -> tuple[Any, bool]:
    """A value, and whether it is the largest that is open of something that grows."""
    if isinstance(dimension, Range):
        top = dimension.upper(share)
        if dimension.whole:
            number: float = trial.suggest_int(name, int(dimension.low), int(top), log=dimension.log)
        else:
            number = trial.suggest_float(name, dimension.low, top, log=dimension.log)
        return number, dimension.grows and number >= dimension.low + 0.75 * (top - dimension.low)
    if isinstance(dimension, Choices):
        count = dimension.open(share)
        if len(dimension.choices) == 1:
            return dimension.choices[0], False
        if dimension.grows:
            place = trial.suggest_int(name, 0, count - 1)
            return dimension.choices[place], place == count - 1
        labels = [_label(choice) for choice in dimension.choices]
        return dimension.choices[labels.index(trial.suggest_categorical(name, labels))], False
    if isinstance(dimension, Divisors):
        found = _divisors(name, dimension, value_of)
        return found[trial.suggest_int(name, 0, len(found) - 1)], False
    taken = [one for one in dimension.subset_of if trial.suggest_categorical(f"{name}:{one}", [False, True])]
    if len(taken) < dimension.fewest:  # filled up in order, from a value that is drawn: a rejection would be a waste
        begin = dimension.subset_of.index(trial.suggest_categorical(f"{name}:from", list(dimension.subset_of)))
        others = [one for one in (*dimension.subset_of[begin:], *dimension.subset_of[:begin]) if one not in taken]
        added = others[: dimension.fewest - len(taken)]
        taken = [one for one in dimension.subset_of if one in taken or one in added]
    return taken, False


def _divisors(name: str, dimension: Divisors, value_of: Lookup) -> tuple[int, ...]:
    whole = value_of(dimension.divisors_of)
    found = dimension.of(whole) if isinstance(whole, int) else ()
    if not found:
        raise ImpossibleError(
            f"{name}: {dimension.divisors_of} = {whole} has no divisor from {dimension.at_least} to "
            f"{dimension.at_most} that leaves at least {dimension.quotient}."
        )
    return found


def _answer(name: str, dimension: Dimension, share: float, value: Any, value_of: Lookup) -> dict[str, Any] | None:
    """What Optuna would have to say for a value; None where it is not open."""
    if isinstance(dimension, Range):
        if not isinstance(value, int | float) or not dimension.low <= value <= dimension.upper(share):
            return None
        return {name: int(value) if dimension.whole else float(value)}
    if isinstance(dimension, Choices):
        labels = [_label(choice) for choice in dimension.choices]
        if _label(value) not in labels:
            return None
        place = labels.index(_label(value))
        if len(labels) == 1:
            return {}
        if not dimension.grows:
            return {name: labels[place]}
        return {name: place} if place < dimension.open(share) else None
    if isinstance(dimension, Divisors):
        try:
            found = _divisors(name, dimension, value_of)
        except ImpossibleError:
            return None
        return {name: found.index(value)} if value in found else None
    if not isinstance(value, list | tuple) or not set(value) <= set(dimension.subset_of):
        return None
    return {f"{name}:{one}": one in value for one in dimension.subset_of}
