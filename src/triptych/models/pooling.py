"""From a feature map to one vector per image."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn

from triptych.domain.errors import RecipeError

GlobalPool = Literal["avg", "max", "avgmax", ""]
"""avg: mean of all pixels; max: the largest; avgmax: the mean of both; empty: the map stays a map."""


class GlobalPooling(nn.Module):
    """Pools (batch, channels, height, width) to (batch, channels); with the empty name it returns the map unchanged.

    Raises RecipeError for an unknown name.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        if name not in get_args(GlobalPool):
            known = ", ".join(repr(choice) for choice in get_args(GlobalPool))
            raise RecipeError(f"Unknown global_pool {name!r}.", remedy=f"Choose one of {known}.")
        self.name = name

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Tensor of shape (batch, channels), or the input."""
        if self.name == "avg":
            return x_BCHW.mean((2, 3))
        if self.name == "max":
            return x_BCHW.amax((2, 3))
        if self.name == "avgmax":
            return 0.5 * (x_BCHW.mean((2, 3)) + x_BCHW.amax((2, 3)))
        return x_BCHW

    def extra_repr(self) -> str:
        return repr(self.name)
