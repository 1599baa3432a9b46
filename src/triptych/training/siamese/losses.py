"""Losses of likeness, on pairs of embeddings of unit length.

Row i of `first` and row i of `second` are alike. `unlike` says which other rows of the batch share no candle with row
i; the rest, neither like nor unlike, plays no part.

Letters: B batch, D dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST = 1e-12
"""Under a root: its slope at 0 is infinite."""


def contrastive(first_BD: Tensor, second_BD: Tensor, unlike_BB: Tensor, *, margin: float) -> Tensor:
    """Mean of squared distances of like pairs and of squared shortfalls to the margin of unlike ones.

    Source: Hadsell, Chopra, LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006, equation 4,
    the two kinds of pairs weighing the same.
    """
    distance_BB = _distances(first_BD, second_BD)
    like = distance_BB.diagonal().square().mean()
    short = (margin - distance_BB).clamp(min=0.0).square()
    return 0.5 * (like + _masked_mean(short, unlike_BB))


def triplet(first_BD: Tensor, second_BD: Tensor, unlike_BB: Tensor, *, margin: float) -> Tensor:
    """Mean shortfall of the nearest unlike window: max(0, d(like) - d(nearest unlike) + margin).

    Source: Hermans, Beyer, Leibe, "In Defense of the Triplet Loss for Person Re-Identification", 2017, equation 5.
    """
    distance_BB = _distances(first_BD, second_BD)
    nearest = distance_BB.masked_fill(~unlike_BB, torch.inf).amin(dim=1)
    there = unlike_BB.any(dim=1)
    short = (distance_BB.diagonal() - torch.where(there, nearest, 0.0) + margin).clamp(min=0.0)
    return _masked_mean(short, there)


def nt_xent(first_BD: Tensor, second_BD: Tensor, unlike_BB: Tensor, *, temperature: float) -> Tensor:
    """Cross-entropy of finding the like window among the unlike ones of both halves, in both directions.

    Source: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020, equation 1.
    """
    count = len(first_BD)
    both = torch.cat([first_BD, second_BD])
    likeness = both @ both.T / temperature
    like = torch.eye(count, dtype=torch.bool, device=both.device)
    empty = torch.zeros_like(like)
    is_like = torch.cat([torch.cat([empty, like], dim=1), torch.cat([like, empty], dim=1)])
    kept = is_like | unlike_BB.repeat(2, 2)
    wanted = torch.arange(2 * count, device=both.device).roll(count)
    return F.cross_entropy(likeness.masked_fill(~kept, -torch.inf), wanted)


def _distances(first_BD: Tensor, second_BD: Tensor) -> Tensor:
    """Distances on the chord, from 0 to 2, shape (batch, batch)."""
    return (2.0 - 2.0 * first_BD @ second_BD.T).clamp(min=LEAST).sqrt()


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, values, 0.0).sum() / mask.sum().clamp(min=1)
