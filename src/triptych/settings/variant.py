"""What an ablation changes in a recipe."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from triptych.domain import Config


class Variant(Config):
    """One variant: a name, and the keys in which it differs from the recipe."""

    name: str = Field(min_length=1, max_length=60, description="What the variant is called in the table.")
    changes: dict[str, Any] = Field(
        min_length=1, description="Keys of the recipe with their values: {'encoding.order' = 'shuffled'}."
    )
