"""What a search varies in a recipe, and the recipe that a candidate is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from triptych import features
from triptych.domain.errors import RecipeError
from triptych.domain.search import Choices, Dimension, Range, Space
from triptych.inference.inputs import reach_of
from triptych.models import SearchSpace, search_space
from triptych.models.sequence import PRESETS
from triptych.settings.reading import with_overrides
from triptych.settings.recipe import Recipe
from triptych.training.tuning.config import Config
from triptych.training.tuning.space import Lookup, SearchPlan, key_of

TRAINING: Final[Mapping[str, Dimension]] = {
    "training.learning_rate": Range(low=1e-4, high=1e-2, log=True),
    "training.weight_decay": Range(low=1e-4, high=1e-1, log=True),
    "training.batch_size": Choices(choices=(32, 64, 128, 256)),
}
"""What every network's training offers."""

_DECIDED: Final = ("strategy", "sizing", "execution")
"""Sections that change a Sharpe ratio and no prediction."""
_SEARCHABLE: Final = ("model", "training", "window", "features", "encoding", *_DECIDED)


_BESIDE_STEPS: Final = ("sequence.pool",)
"""What families offer to a search, and what a search for quick steps leaves as it is: the mean has no step."""


@dataclass(frozen=True, kw_only=True)
class StartingPoint:
    """Values from which a search begins, by key; what is missing is the recipe's."""

    name: str
    values: Mapping[str, Any]


def search_plan(recipe: Recipe) -> SearchPlan:
    """What is searched. Raises RecipeError for a key that must not vary in one study, or that the recipe lacks."""
    if recipe.members:
        raise RecipeError(
            "A consensus cannot be searched as one: each of its members is a model of its own.",
            remedy="Tune a recipe for each member, then name the winners' recipes in [[members]].",
        )
    config = recipe.tune
    if config.timed == "step" and not any(_streams(recipe, name) for name in _model_names(recipe)):
        raise RecipeError(
            f"tune.timed is 'step', and {' and '.join(_model_names(recipe))} cannot be asked candle by candle in this "
            "recipe.",
            remedy="Set tune.timed to window, or search an xlstm with sequence.pool = last, one timeframe, no adaptive "
            "depth, and the encoding `sequence` of candles as they are.",
        )
    for name, dimension in config.space.items():
        _require_searchable(key_of(name), config)
        for key in dimension.when:
            lookup_in(recipe)(key)
    plan = SearchPlan(_whole_space(recipe), lookup_in(recipe))
    for name, dimension in plan.space.items():
        values = dimension.choices if isinstance(dimension, Choices) else ()
        for value in values:  # a misspelt key or value is told at once, not by a hundred failed trials
            if not dimension.when and key_of(name) not in ("model.name", "encoding.name", "features.names"):
                _known(recipe, key_of(name), value)
        if isinstance(dimension, Range):
            _known(recipe, key_of(name), dimension.low)
            _known(recipe, key_of(name), dimension.high)
    return plan


def starting_points(recipe: Recipe) -> list[StartingPoint]:
    """The recipe itself, then the presets of its networks' families, from small to large."""
    found = [StartingPoint(name="the recipe", values={})]
    names = _model_names(recipe)
    for name in names:
        for label, preset in search_space(name).presets.items():
            values = {f"model.{key}": value for key, value in preset.items()}
            if len(names) > 1:
                values = {"model.name": name, **values}
            found.append(StartingPoint(name=f"{name} {label}", values=values))
    return found


def candidate(recipe: Recipe, changes: Mapping[str, Any], *, name: str = "") -> Recipe:
    """The recipe that a candidate is: without search and ablation, its encoding as wide as its factors are many.

    Raises RecipeError for values that do not fit one another.
    """
    content = recipe.model_dump(mode="json")
    for section in ("tune", "ablation"):
        content.pop(section)
    if name:
        content["name"] = name
    if "features.names" in changes:  # sets of factors may share some
        changes = {**changes, "features.names": list(features.without_repeats(tuple(changes["features.names"])))}
    found = with_overrides(content, (), dict(changes), where="candidate")
    named = found.features.names
    if (
        "features.names" in changes
        and named
        and "encoding.factors" not in changes
        and hasattr(found.encoding, "factors")
    ):
        columns = len(features.resolve(tuple(named)))
        found = with_overrides(content, (), {**changes, "encoding.factors": columns}, where="candidate")
    if found.traded_figures:
        raise RecipeError(
            f"A search judges directions: it cannot trade by the foretold {' and '.join(found.traded_figures)}.",
            remedy="Search with strategy.expected_move = 'none' and sizing.volatility = 'measured'; set them then.",
        )
    return found


def lookup_in(recipe: Recipe) -> Lookup:
    """The value of a dotted key of a recipe. Raises RecipeError for a key it does not have."""
    content = recipe.model_dump(mode="json")

    def look(key: str) -> Any:
        found: Any = content
        for part in key.split("."):
            if not isinstance(found, Mapping) or part not in found:
                raise RecipeError(
                    f"tune.space: the recipe has no key {key!r}.",
                    remedy="`triptych recipe show` prints every key with its meaning.",
                )
            found = found[part]
        return found

    return look


def timed(recipe: Recipe) -> Literal["step", "window"]:
    """What the latency of the candidates is that of, see `tune.timed`."""
    if recipe.tune.timed != "auto":
        return recipe.tune.timed
    return "step" if all(_streams(recipe, name) for name in _model_names(recipe)) else "window"


def _streams(recipe: Recipe, name: str) -> bool:
    """Whether the recipe with this network can be asked candle by candle."""
    preset = PRESETS.get(name)
    reads_rows = recipe.encoding.name == "sequence" and recipe.features.period == 1
    is_plain = not recipe.training.tasks.names and recipe.siamese.loss == "none" and recipe.boosting.engine == "none"
    return preset is not None and reads_rows and is_plain and preset.with_wishes(recipe.model.sequence).streams


def longest_reach(recipe: Recipe, plan: SearchPlan) -> int:
    """Candles from the first to the last that a decision of any candidate may look at, see `inputs.reach_of`."""
    lengths = [recipe.window.length, *_values_of("window.length", plan)]
    periods = [recipe.features.period, *_values_of("features.period", plan)]
    return reach_of(max(lengths), max(periods))


def _values_of(wanted: str, plan: SearchPlan) -> list[int]:
    """What the search may choose for a key of whole numbers: all of its choices, or the high end of its range."""
    found: list[Any] = []
    for name, dimension in plan.space.items():
        if key_of(name) == wanted:
            found += [dimension.high] if isinstance(dimension, Range) else list(getattr(dimension, "choices", ()))
    return [int(one) for one in found]


def _whole_space(recipe: Recipe) -> Space:
    """The space of the recipe; with `tune.defaults` that of the families and of training around it."""
    own = dict(recipe.tune.space)
    if not recipe.tune.defaults:
        return own
    mine = {key_of(name) for name in own}
    space: Space = {name: one for name, one in own.items() if key_of(name) == "model.name"}
    families: dict[int, tuple[SearchSpace, list[str]]] = {}
    names = _model_names(recipe)
    goes_by_steps = timed(recipe) == "step"
    for name in names:
        family = search_space(name)
        families.setdefault(id(family), (family, []))[1].append(name)
    for number, (family, members) in enumerate(families.values()):
        for part, dimension in family.space.items():
            key = f"model.{part}"
            if key in mine or (part in _BESIDE_STEPS and goes_by_steps):
                continue
            if len(families) == 1:
                space[key] = dimension
            else:
                when = {**dimension.when, "model.name": tuple(members)}
                space[f"{key}@{number}"] = dimension.model_copy(update={"when": when})
    space |= {key: one for key, one in TRAINING.items() if key not in mine}
    return space | {name: one for name, one in own.items() if name not in space}


def _model_names(recipe: Recipe) -> list[str]:
    found: list[str] = []
    for name, dimension in recipe.tune.space.items():
        if key_of(name) == "model.name" and isinstance(dimension, Choices):
            found += [str(one) for one in dimension.choices]
    return list(dict.fromkeys(found)) or [recipe.model.name]


def _require_searchable(key: str, config: Config) -> None:
    section = key.split(".")[0]
    if section == "target":
        raise RecipeError(
            f"tune.space: {key} must not vary inside one study: skills at different targets cannot be compared.",
            remedy="Write a recipe for each target, tune each by itself, and compare their verdicts.",
        )
    if section in ("data", "split", "evaluation", "costs", "backtest", "risk"):
        raise RecipeError(
            f"tune.space: {key} must not vary inside one study: candidates would not be judged alike.",
            remedy=f"Set it in [{section}] for all candidates.",
        )
    if section not in _SEARCHABLE or "." not in key:
        raise RecipeError(
            f"tune.space: {key} cannot be searched.", remedy=f"Keys of these sections can: {', '.join(_SEARCHABLE)}."
        )
    if section in _DECIDED and config.skill != "sharpe":
        raise RecipeError(
            f"tune.space: {key} changes no prediction, so the skill {config.skill!r} cannot tell its values apart.",
            remedy="Set tune.skill = 'sharpe', or leave it out.",
        )


def _known(recipe: Recipe, key: str, value: Any) -> None:
    """Raise RecipeError for an unknown key or a value out of range."""
    content = recipe.model_dump(mode="json")
    for section in ("tune", "ablation"):
        content.pop(section)
    with_overrides(content, (), {key: value}, where=f"tune.space, {key}")
