"""Recipes of order books: which recordings, what to foretell, which encoding and network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field, model_validator

from triptych.domain import Config
from triptych.settings.overrides import put_overrides
from triptych.settings.shelf import Shelf
from triptych.settings.validating import validated
from triptych.training.books.labels import Config as TargetConfig
from triptych.training.books.splits import Config as SplitConfig
from triptych.training.config import Config as TrainingConfig

REMEDY = "`triptych books recipe deeplob` prints a recipe to begin from."


class BookDataConfig(Config):
    """How recordings become rows."""

    levels: int = Field(10, ge=1, le=1000, description="Levels a side in a row.")
    every_ms: int | None = Field(
        None,
        ge=1,
        description="One row at every multiple of so many milliseconds, the last book at or before it; of a file that "
        "is sampled already a multiple of its own step. Empty: one row a message, or the rows of the file.",
    )
    across_days: bool = Field(
        False, description="Let windows and labels contain 00:00 UTC; for markets that never close."
    )
    stride: int = Field(1, ge=1, le=1_000_000, description="Of the training rows, every so manieth is learned from.")


class BookScoringConfig(Config):
    """How the intervals of the metrics are made."""

    level: float = Field(0.95, gt=0.5, lt=1, description="Confidence of the intervals.")
    resamples: int = Field(1000, ge=100, le=100_000, description="Resamples of the block bootstrap.")


class BookRecipe(Config):
    """How a network of order books is made and judged."""

    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of first weights, order and bootstrap.")
    length: int = Field(100, ge=2, le=10_000, description="Books in a window.")
    data: BookDataConfig = Field(BookDataConfig(), description="How recordings become rows.")
    target: TargetConfig = Field(TargetConfig(), description="What is to be foretold.")
    split: SplitConfig = Field(SplitConfig(), description="How recordings are cut.")
    encoding: dict[str, Any] = Field({"name": "book_levels"}, description="Encoding of books: its name and options.")
    model: dict[str, Any] = Field({"name": "deeplob"}, description="Network: its name and options.")
    training: TrainingConfig = Field(TrainingConfig(), description="How it is trained.")
    scoring: BookScoringConfig = Field(BookScoringConfig(), description="How its metrics are made.")

    @model_validator(mode="after")
    def _must_name_both(self) -> Self:
        for part in ("encoding", "model"):
            if not isinstance(getattr(self, part).get("name"), str):
                raise ValueError(f"{part}.name must say which one")
        return self


_SHELF = Shelf(noun="recipe of order books", folder="books", remedy=REMEDY)


def shipped_book_recipes() -> tuple[str, ...]:
    """Names of the recipes of order books that come with the package."""
    return _SHELF.names()


def book_recipe_text(source: str) -> tuple[str, str]:
    """(text, where it was found) of a recipe file or of a shipped recipe. Raises RecipeError as `Shelf.text` does."""
    return _SHELF.text(source)


def load_book_recipe(source: str, overrides: Sequence[str] = ()) -> BookRecipe:
    """Read a recipe of order books.

    Args:
        source: path of a TOML file, or the name of a shipped recipe.
        overrides: `key=value` pairs such as `training.epochs=3`.

    Raises RecipeError that names every unknown key and wrong value.
    """
    content, where = _SHELF.content(source)
    put_overrides(content, overrides)
    return validated(BookRecipe, content, where, remedy=REMEDY)
