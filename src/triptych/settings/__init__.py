"""Recipes: one experiment in one TOML file.

Each name is imported when it is first asked for: settings of live trading need no recipe, and a recipe knows of every
network and encoding there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from triptych.domain.on_demand import on_demand

if TYPE_CHECKING:
    from triptych.settings.members import members_of, resolved
    from triptych.settings.reading import load_recipe, parse_recipe, recipe_text, shipped_recipes
    from triptych.settings.recipe import Recipe
    from triptych.settings.reference import annotated_toml, reference_markdown
    from triptych.settings.variants import variants_of

__all__ = [
    "Recipe",
    "annotated_toml",
    "load_recipe",
    "members_of",
    "parse_recipe",
    "recipe_text",
    "reference_markdown",
    "resolved",
    "shipped_recipes",
    "variants_of",
]

_HOMES: Final = {
    "members": ("members_of", "resolved"),
    "reading": ("load_recipe", "parse_recipe", "recipe_text", "shipped_recipes"),
    "recipe": ("Recipe",),
    "reference": ("annotated_toml", "reference_markdown"),
    "variants": ("variants_of",),
}

__getattr__, __dir__ = on_demand(__name__, _HOMES)
