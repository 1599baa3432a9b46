"""What a member of a consensus changes in a recipe."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from triptych.domain import Config


class Member(Config):
    """One model of a consensus: the recipe itself, with another model in it."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$",
        description="What the member is called in votes, reasons and report.",
    )
    recipe: str | None = Field(
        None,
        description="A recipe file or a shipped recipe whose window, features, encoding, model and training the member "
        "takes; the data, the target, the split and the trading stay those of the consensus. Empty begins from the "
        "consensus recipe itself.",
    )
    changes: dict[str, Any] = Field(
        {}, description="Keys of the recipe with their values: {'features.names' = ['indicators']}."
    )
