"""What every builder of a network refuses, in the same words."""

from __future__ import annotations

from pydantic import ValidationError
from torch import Tensor

from triptych.domain.errors import RecipeError


def require_positive(**values: float) -> None:
    """Raise RecipeError for the first value that is 0, negative or NaN."""
    for name, value in values.items():
        if not value > 0:
            raise RecipeError(f"{name} must be above 0, was {value}.")


def require_share(**values: float) -> None:
    """Raise RecipeError for the first value outside [0, 1)."""
    for name, value in values.items():
        if not 0.0 <= value < 1.0:
            raise RecipeError(f"{name} must be at least 0 and below 1, was {value}.")


def require_one_depth(network: str, depth: float) -> None:
    """Raise RecipeError unless `depth` is 1: for networks whose layers are not repeated."""
    if depth != 1.0:
        raise RecipeError(
            f"{network} has one depth only: depth must be 1, was {depth}.",
            remedy="Leave depth out; width makes the network smaller.",
        )


def require_image_size(network: str, x_BCHW: Tensor, smallest: int) -> None:
    """Raise RecipeError when an image is so small that a stride would leave no pixel of it."""
    height, width = x_BCHW.shape[-2:]
    if height < smallest or width < smallest:
        raise RecipeError(
            f"{network} reads images of at least {smallest} x {smallest} pixels, was {height} x {width}.",
            remedy="Draw larger images, or choose an efficientnet, which takes any size.",
        )


def in_words(error: ValidationError) -> str:
    """What is wrong with the settings of a network, in one line: each key once, with what it was."""
    words: dict[str, str] = {}
    for problem in error.errors():
        key = str(problem["loc"][0]) if problem["loc"] else ""
        if problem["type"] == "extra_forbidden":
            words.setdefault(key, f"there is no key {key!r}")
        else:
            said = problem["msg"].removeprefix("Value error, ").removesuffix(".")
            words.setdefault(key, f"{key}: {said} (was {problem['input']!r})")
    return "; ".join(words.values())
