"""From a feature map to one vector per image, or to a map of fixed size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
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

    Cell i of n goes from floor(i * side / n) to ceil((i + 1) * side / n), as in torch's adaptive pooling, but with a
    gradient that repeats to the last bit on a GPU too. A map of the wanted size comes out as it is, and with the empty
    name every map.

    Raises RecipeError for an unknown name.
    """

    def __init__(self, name: str, size: int) -> None:
        super().__init__()
        self.name = _checked(name)
        self.size = size

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Tensor of shape (batch, channels, size, size), or the input."""
        if not self.name or x_BCHW.shape[2:] == (self.size, self.size):
            return x_BCHW
        if self.name == "avg":
            return self._cells(x_BCHW, torch.mean)
        if self.name == "max":
            return self._cells(x_BCHW, torch.amax)
        return 0.5 * (self._cells(x_BCHW, torch.mean) + self._cells(x_BCHW, torch.amax))

    def _cells(self, x_BCHW: Tensor, reduce: Callable[[Tensor, int], Tensor]) -> Tensor:
        """One axis after the other: the mean of means of equally many, and the largest of the largest."""
        for axis in (2, 3):
            side = x_BCHW.shape[axis]
            bounds = [(i * side // self.size, -(-(i + 1) * side // self.size)) for i in range(self.size)]
            x_BCHW = torch.stack([reduce(x_BCHW.narrow(axis, a, b - a), axis) for a, b in bounds], axis)
        return x_BCHW

    def extra_repr(self) -> str:
        return f"{self.name!r}, {self.size}"


def _checked(name: str) -> str:
    if name not in get_args(GlobalPool):
        known = ", ".join(repr(choice) for choice in get_args(GlobalPool))
        raise RecipeError(f"Unknown global_pool {name!r}.", remedy=f"Choose one of {known}.")
    return name
