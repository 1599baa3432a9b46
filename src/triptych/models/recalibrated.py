"""A network of four parameters that passes on the probabilities it is given, recalibrated to the classes at hand.

Its input are the probabilities of sell, hold and buy that another network gave, the last candle's as the window's
channels. Scores are their logarithms over a temperature, plus a bias a class: bias-corrected temperature scaling
(Alexandari, Kundaje and Shrikumar, "Maximum Likelihood with Bias-Corrected Calibration is Hard-To-Beat at Label Shift
Adaptation", ICML 2020, section 3). It begins as the identity, and weight decay draws it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from triptych.domain.errors import RecipeError

CLASSES: Final = 3
LEAST: Final = 1e-5
"""Probabilities below it count as so much: a rounded one may be 0, which has no logarithm."""


class Recalibrated(nn.Module):
    """Three channels of probabilities in, as they are or all scaled alike; scores whose softmax they are at first."""

    def __init__(self) -> None:
        super().__init__()
        self.in_chans = self.num_classes = self.num_features = CLASSES
        self.log_temperature = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(CLASSES))

    def get_classifier(self) -> nn.Module:
        """None of its parts is drawn at random."""
        return nn.Identity()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Scores of shape (batch, 3) for images of shape (batch, 3, 1, length)."""
        given = x_BCHW[:, :, 0, -1].clamp_min(LEAST)
        return given.log() * torch.exp(-self.log_temperature) + self.bias


def build_recalibrated(
    *,
    in_chans: int = CLASSES,
    num_classes: int = CLASSES,
    features_only: bool = False,
    out_indices: Sequence[int] | int | None = None,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    global_pool: str = "avg",
    width: float = 1.0,
    depth: float = 1.0,
    seed: int | None = None,
) -> nn.Module:
    """Build it. Size, dropout, pooling and seed are without effect.

    Raises RecipeError for anything but three probabilities in and three classes out.
    """
    if in_chans != CLASSES or num_classes != CLASSES or features_only or out_indices is not None:
        raise RecipeError(
            f"recalibrated takes 3 probabilities and gives 3 classes; asked were {in_chans} and {num_classes}.",
            remedy="Name the set book_network under features.names, with encoding.factors = 3, and no figures beside.",
        )
    return Recalibrated()
