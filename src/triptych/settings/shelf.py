"""Where recipes come from: a file somebody wrote, or one of the shelf that comes with the package."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from triptych.domain.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The shipped recipes of one kind.

    Attributes:
        noun: what one of them is called in messages.
        folder: that holds them, below the package's `recipes`; empty for `recipes` itself.
        remedy: what helps a reader whose file is not TOML; empty lists the shipped ones.
    """

    noun: str
    folder: str = ""
    remedy: str = ""

    def names(self) -> tuple[str, ...]:
        """Names of the shipped recipes, sorted."""
        return tuple(sorted(f.name.removesuffix(".toml") for f in self._home().iterdir() if f.name.endswith(".toml")))

    def text(self, source: str) -> tuple[str, str]:
        """(text, where it was found) of a recipe file or of a shipped recipe.

        Raises RecipeError when there is none, or when the file is not text.
        """
        path = Path(source)
        if path.is_file():
            try:
                return path.read_text(encoding="utf-8-sig"), str(path)  # some editors begin a file with a mark
            except UnicodeDecodeError as error:
                raise RecipeError(f"{path} is not a text file in UTF-8.", remedy="A recipe is a TOML file.") from error
        if source in self.names():
            return (self._home() / f"{source}.toml").read_text(encoding="utf-8"), source
        raise RecipeError(
            f"There is no {self.noun} {source!r}: neither a file nor a shipped recipe.", remedy=self._known()
        )

    def content(self, source: str) -> tuple[dict[str, Any], str]:
        """(TOML document, where it was found). Raises RecipeError as `text` does, and when it is not TOML."""
        text, where = self.text(source)
        try:
            return tomllib.loads(text), where
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{where} is not TOML: {error}.", remedy=self.remedy or self._known()) from error

    def _home(self) -> Traversable:
        recipes = resources.files("triptych") / "recipes"
        return recipes / self.folder if self.folder else recipes

    def _known(self) -> str:
        return f"Shipped recipes: {', '.join(self.names())}."
