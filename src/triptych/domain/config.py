"""The base of every `Config`: frozen, strict about unknown keys, its fields documented where they stand."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """Settings of one part. It stands in the part's file; `settings.py` gathers all of them into a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
