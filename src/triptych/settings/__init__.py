"""Recipes: one experiment in one TOML file."""

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
