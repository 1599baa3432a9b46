"""Which figures a network foretells beside the direction, and how much each counts while it learns."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from triptych.domain import Config as BaseConfig

Task = Literal["size", "volatility"]


class Config(BaseConfig):
    """Questions beside the direction, each with a head of its own on shared features."""

    names: tuple[Task, ...] = Field(
        (),
        description="`size`: the return over the horizon. `volatility`: the root of the sum of squared log returns "
        "over the horizon. Empty: the direction only.",
    )
    balance: Literal["fixed", "uncertainty"] = Field(
        "uncertainty",
        description="`fixed`: the losses are added up with the weights below. `uncertainty`: each loss is divided by a "
        "variance that is learned with the network (Kendall, Gal, Cipolla 2018).",
    )
    stop_by: Literal["direction", "all"] = Field(
        "direction",
        description="What the kept epoch and early stopping go by, on validation windows: the loss of the `direction`, "
        "or of `all` questions, to which each figure adds its mean squared error in standard deviations.",
    )
    size_weight: float = Field(0.1, ge=0, le=100, description="Weight of the loss of the size; `fixed` only.")
    volatility_weight: float = Field(
        0.3, ge=0, le=100, description="Weight of the loss of the volatility; `fixed` only."
    )

    @field_validator("names")
    @classmethod
    def _each_once(cls, value: tuple[Task, ...]) -> tuple[Task, ...]:
        if len(set(value)) < len(value):
            raise ValueError("name each task once")
        return value

    def weight(self, task: Task) -> float:
        """Fixed weight of a task."""
        return self.size_weight if task == "size" else self.volatility_weight
