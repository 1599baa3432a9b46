"""Variants of a recipe: what an ablation holds against it."""

from __future__ import annotations

from triptych.domain.errors import RecipeError
from triptych.settings.reading import with_overrides
from triptych.settings.recipe import Recipe


def variants_of(recipe: Recipe) -> dict[str, Recipe]:
    """The recipe itself, under its own name, and every variant, by name.

    Raises RecipeError for a name that occurs twice, and for a variant with an unknown key or a wrong value.
    """
    content = recipe.model_dump(mode="json")
    content.pop("ablation")
    found = {recipe.name: with_overrides(content, (), where=recipe.name)}
    for variant in recipe.ablation:
        if variant.name in found:
            raise RecipeError(
                f"{recipe.name}: two variants are called {variant.name!r}.", remedy="Give each a name of its own."
            )
        where = f"{recipe.name}, variant {variant.name!r}"
        found[variant.name] = with_overrides(content, (), variant.changes, where=where)
    return found
