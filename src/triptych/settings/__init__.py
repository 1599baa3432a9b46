"""Recipes: one experiment in one TOML file.

Each name is imported when it is first asked for: settings of live trading need no recipe, and a recipe knows of every
network and encoding there is.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

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
_PLACES: Final = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
