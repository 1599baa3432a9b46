"""Where a network's feature maps come from: channels and stride of each, in timm's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from triptych.domain.errors import RecipeError


@dataclass(frozen=True, kw_only=True, slots=True)
class FeaturePoint:
    """The end of a stage, just before the next stride.

    Attributes:
        module: name of the submodule whose output it is.
        stage: number of stages passed, 1 for the first.
        num_chs: channels.
        reduction: input pixels for one pixel of the map.
    """

    module: str
    stage: int
    num_chs: int
    reduction: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureInfo:
    """All feature maps of a network, from fine to coarse, and which of them it returns."""

    points: tuple[FeaturePoint, ...]
    out_indices: tuple[int, ...]

    @property
    def chosen(self) -> tuple[FeaturePoint, ...]:
        """The returned maps."""
        return tuple(self.points[index] for index in self.out_indices)

    def channels(self) -> list[int]:
        """Channels of each returned map."""
        return [point.num_chs for point in self.chosen]

    def reduction(self) -> list[int]:
        """Stride of each returned map against the input."""
        return [point.reduction for point in self.chosen]

    def module_name(self) -> list[str]:
        """Submodule of each returned map."""
        return [point.module for point in self.chosen]


def choose_features(points: tuple[FeaturePoint, ...], out_indices: Sequence[int] | int | None) -> FeatureInfo:
    """Read timm's `out_indices`: None is all, a number is the last n, a sequence picks (negative counts from the end).

    Raises RecipeError for an index the network does not have.
    """
    total = len(points)
    if out_indices is None:
        wanted = list(range(total))
    elif isinstance(out_indices, int):
        wanted = list(range(total - out_indices, total))
    else:
        wanted = [index + total if index < 0 else index for index in out_indices]
    if not wanted or min(wanted) < 0 or max(wanted) >= total:
        raise RecipeError(
            f"out_indices={out_indices!r} does not fit a network of {total} feature maps.",
            remedy=f"Choose indices from 0 to {total - 1}, or how many of the last maps from 1 to {total}.",
        )
    return FeatureInfo(points=points, out_indices=tuple(sorted(set(wanted))))
