"""Which windows are alike and which are not: pairs to learn from, drawn anew by seed in every pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from triptych.domain.errors import NotEnoughData
from triptych.training.siamese.config import Config
from triptych.training.windows import WindowSet

LIKE_RANKS: Final = 0.02
"""Outcomes whose ranks among all, from 0 to 1, are no farther apart are alike."""
UNLIKE_RANKS: Final = 0.1
"""Outcomes whose ranks are farther apart are not; between the two nothing is said."""
DRAWS: Final = 8
"""Windows of a like outcome that are drawn, of which the first is taken that shares no candle."""


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs of the windows of one set.

    Attributes:
        draw: (generator) -> places of windows in any order, shape (n,), and of one like window each.
        unlike: (places, places), both of shape (batch,) -> which two pairs are unlike, bool of shape (batch, batch).
    """

    draw: Callable[[torch.Generator], tuple[Tensor, Tensor]]
    unlike: Callable[[Tensor, Tensor], Tensor]

    def batches(self, size: int, generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
        """Places of windows and of one like window each; a rest of one is left out."""
        first, second = self.draw(generator)
        return [
            (first[start : start + size], second[start : start + size])
            for start in range(0, len(first), size)
            if len(first) - start > 1
        ]


def pairs_of(windows: WindowSet, config: Config) -> Pairs:
    """The pairs of a set, as `siamese.pairs` says.

    Raises NotEnoughData when no window has a like one.
    """
    starts = windows.starts.cpu()
    if len(starts) > 1 and bool((starts.diff() < 0).any()):
        raise NotEnoughData("Windows must come in the order of time.", remedy="Report this with the recipe.")
    if config.pairs == "outcome":
        return _by_outcome(windows, starts)
    length, near = windows.length, config.near
    if config.pairs == "near":
        draw = _drawn_between(starts, -near, near)
        apart = length
        lacking = f"No window ends within {near} candles of another."
    else:
        draw = _drawn_between(starts, length, length + near)
        apart = 2 * length + near  # what follows the window behind it is neither like nor unlike
        lacking = f"No window is followed within {near} candles by another without a common candle."
    if not len(draw(torch.Generator())[0]):
        raise NotEnoughData(lacking, remedy="Raise siamese.near above window.stride.")
    return Pairs(draw=draw, unlike=lambda one, other: _far_apart(starts, one, other, apart))


def _far_apart(starts: Tensor, one: Tensor, other: Tensor, apart: int) -> Tensor:
    """Which pairs of a batch have no window near any of the other's, and are not the same pair."""
    begins = starts[one.cpu()], starts[other.cpu()]
    gaps = torch.stack([(mine[:, None] - theirs).abs() for mine in begins for theirs in begins])
    return (gaps.amin(dim=0) >= apart) & ~torch.eye(len(one), dtype=torch.bool)


def _drawn_between(starts: Tensor, least: int, most: int) -> Callable[[torch.Generator], tuple[Tensor, Tensor]]:
    """Draws for each window another that begins from `least` to `most` candles later, never one of the same rows.

    Windows of longer candles hold the same rows until the next one closes: of those nothing could be learned.
    """
    first = torch.searchsorted(starts, starts + least)
    last = torch.searchsorted(starts, starts + most, right=True) - 1
    own_first, own_last = torch.searchsorted(starts, starts), torch.searchsorted(starts, starts, right=True) - 1
    held = torch.where((own_first >= first) & (own_last <= last), own_last - own_first + 1, 0)
    others = last - first + 1 - held
    places = torch.nonzero(others > 0).flatten()

    def draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        chosen = places[torch.randperm(len(places), generator=generator)]
        choices = others[chosen]
        drawn = (torch.rand(len(chosen), generator=generator) * choices).long().clamp(max=choices - 1) + first[chosen]
        behind = (held[chosen] > 0) & (drawn >= own_first[chosen])
        return chosen, torch.where(behind, drawn + held[chosen], drawn)

    return draw


def _by_outcome(windows: WindowSet, starts: Tensor) -> Pairs:
    """Windows of other times that were followed by about as much volatility."""
    assert windows.figures is not None
    figure = windows.figures[:, -1].cpu()
    known = torch.nonzero(torch.isfinite(figure)).flatten()
    count = len(known)
    order = known[figure[known].argsort(stable=True)]
    rank = torch.full((len(figure),), torch.nan)
    place_in_order = torch.zeros(len(figure), dtype=torch.int64)
    place_in_order[order] = torch.arange(count)
    rank[order] = torch.arange(count) / max(count - 1, 1)
    reach = int(LIKE_RANKS * count)

    def draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        places = known[torch.randperm(count, generator=generator)]
        shifts = torch.randint(-reach, reach + 1, (count, DRAWS), generator=generator)
        theirs = order[(place_in_order[places][:, None] + shifts).clamp(0, count - 1)]
        fits = (starts[places][:, None] - starts[theirs]).abs() >= windows.length
        chosen = theirs.gather(1, fits.int().argmax(dim=1, keepdim=True)).flatten()
        there = fits.any(dim=1)
        return places[there], chosen[there]

    if not len(draw(torch.Generator())[0]):
        raise NotEnoughData(
            "No two windows without a common candle were followed by about as much volatility.",
            remedy="Bring more candles, or set siamese.pairs to near.",
        )

    def unlike(one: Tensor, other: Tensor) -> Tensor:
        one, other = one.cpu(), other.cpu()
        ranks = 0.5 * (rank[one] + rank[other])
        apart = (ranks[:, None] - ranks).abs() >= UNLIKE_RANKS
        return apart & _far_apart(starts, one, other, windows.length)

    return Pairs(draw=draw, unlike=unlike)
