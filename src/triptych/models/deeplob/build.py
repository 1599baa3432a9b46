"""From a user's wishes to a network."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import nn

from triptych.domain.errors import RecipeError
from triptych.models.checks import require_one_depth, require_positive, require_share
from triptych.models.deeplob.layers import Sizes
from triptych.models.deeplob.network import DeepLob


def build_deeplob(
    *,
    in_chans: int = 1,
    num_classes: int = 3,
    features_only: bool = False,
    out_indices: Sequence[int] | int | None = None,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    global_pool: str = "avg",
    width: float = 1.0,
    depth: float = 1.0,
    levels: int = 10,
    seed: int | None = None,
) -> nn.Module:
    """Build with freshly drawn weights: 143,907 parameters for one channel, ten levels and three classes.

    Args:
        in_chans, num_classes, drop_rate, global_pool: see `DeepLob`.
        features_only, out_indices: refused; there are no maps of several sizes.
        drop_path_rate: without effect, there being no residual branch to skip.
        width: factor of all channels and of the LSTM's units, each rounded.
        depth: 1; DeepLOB has one depth.
        levels: levels a side of the rows.
        seed: of the first weights; None draws from torch's default generator.

    Raises RecipeError for a value out of range.
    """
    require_positive(width=width, in_chans=in_chans, levels=levels)
    require_one_depth("deeplob", depth)
    require_share(drop_rate=drop_rate, drop_path_rate=drop_path_rate)
    if features_only or out_indices is not None:
        raise RecipeError(
            "deeplob reads rows of a book and has no feature maps.",
            remedy="Leave out features_only; forward_features gives the features of every step.",
        )
    # Torch's layers draw their first weights from the default generator: lend them a seeded one.
    with torch.random.fork_rng(devices=[]) if seed is not None else nullcontext():
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        return DeepLob(
            Sizes.of(width), levels=levels, in_chans=in_chans, num_classes=num_classes, drop_rate=drop_rate,
            global_pool=global_pool,
        )  # fmt: skip
