"""Members of a consensus as recipes of their own."""

from __future__ import annotations

from triptych.domain.errors import RecipeError
from triptych.settings.reading import load_recipe, with_overrides
from triptych.settings.recipe import Recipe

_OF_A_MODEL = ("window", "features", "encoding", "model", "training", "siamese", "boosting")
"""Sections that make a model; all others belong to the experiment, and are the same for every member."""


def resolved(recipe: Recipe) -> Recipe:
    """The recipe with the contents of the recipes that its members name, so that it needs no other file.

    Raises RecipeError when one of them cannot be read.
    """
    members = []
    for member in recipe.members:
        if member.recipe is None:
            members.append(member)
            continue
        content = load_recipe(member.recipe).model_dump(mode="json", exclude_none=True)
        sections = {name: content[name] for name in _OF_A_MODEL}
        members.append(member.model_copy(update={"recipe": None, "changes": {**sections, **member.changes}}))
    return recipe.model_copy(update={"members": tuple(members)})


def members_of(recipe: Recipe) -> dict[str, Recipe]:
    """The recipe of every member, by name; empty for a recipe of one model.

    Raises RecipeError for an unknown key or a wrong value, for a change of what members must share, and for weights by
    recent skill beside trading days.
    """
    content = resolved(recipe).model_dump(mode="json")
    members = content.pop("members")
    for of_all in ("ablation", "consensus", "regimes"):  # what is told beside the joint prediction is told once
        content.pop(of_all)
    found = {}
    for member in members:
        where = f"{recipe.name}, member {member['name']!r}"
        foreign = sorted({key.split(".")[0] for key in member["changes"]} - set(_OF_A_MODEL))
        if foreign:
            raise RecipeError(
                f"{where} changes {', '.join(foreign)}, which all members share.",
                remedy=f"A member may change: {', '.join(_OF_A_MODEL)}. Change the rest in the recipe itself.",
            )
        named = {**content, "name": f"{recipe.name}-{member['name']}"}
        # Whole sections first: TOML does not keep the order of keys and tables.
        changes = dict(sorted(member["changes"].items(), key=lambda one: one[0].count(".")))
        found[member["name"]] = with_overrides(named, (), changes, where=where)
        _refuse_days_by_skill(recipe, found[member["name"]], where)
    return found


def _refuse_days_by_skill(recipe: Recipe, member: Recipe, where: str) -> None:
    """Recent skill counts candles; by trading days labels count places of the day, and answers come once a day."""
    if recipe.consensus.method == "skill" and member.features.names and member.features.day.hours:
        raise RecipeError(
            f"{where} reads trading days (features.day.hours), and consensus.method = 'skill' cannot weigh by those: "
            "it looks at an outcome each target.horizon candles, and counts in candles.",
            remedy="Empty features.day.hours, or set consensus.method to vote, agreement, stacking or meta.",
        )
