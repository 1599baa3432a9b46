"""From a feature map to one vector per image, or to a map of fixed size."""

from __future__ import annotations

from typing import Literal, get_args

import torch.nn.functional as F
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
        self.name = _checked(name)

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


class GridPooling(nn.Module):
    """Pools (batch, channels, height, width) to (batch, channels, size, size), each cell as `GlobalPool` says.

    A map of that size already comes out as it is. With the empty name it returns any map unchanged.
    Raises RecipeError for an unknown name.
    """

    def __init__(self, name: str, size: int) -> None:
        super().__init__()
        self.name = _checked(name)
        self.size = size

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Tensor of shape (batch, channels, size, size), or the input."""
        if self.name == "avg":
            return F.adaptive_avg_pool2d(x_BCHW, self.size)
        if self.name == "max":
            return F.adaptive_max_pool2d(x_BCHW, self.size)
        if self.name == "avgmax":
            return 0.5 * (F.adaptive_avg_pool2d(x_BCHW, self.size) + F.adaptive_max_pool2d(x_BCHW, self.size))
        return x_BCHW

    def extra_repr(self) -> str:
        return f"{self.name!r}, {self.size}"


def _checked(name: str) -> str:
    if name not in get_args(GlobalPool):
        known = ", ".join(repr(choice) for choice in get_args(GlobalPool))
        raise RecipeError(f"Unknown global_pool {name!r}.", remedy=f"Choose one of {known}.")
    return name
