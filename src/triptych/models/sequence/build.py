"""From a preset and a user's wishes to a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn

from triptych.domain.errors import RecipeError
from triptych.models.checks import in_words, require_positive, require_share
from triptych.models.sequence.config import Config
from triptych.models.sequence.network import SequenceNetwork
from triptych.models.sequence.presets import Preset


def build_sequence_network(
    preset: Preset,
    *,
    in_chans: int = 3,
    num_classes: int = 1000,
    features_only: bool = False,
    out_indices: Sequence[int] | int | None = None,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    global_pool: str = "avg",
    width: float = 1.0,
    depth: float = 1.0,
    sequence: Config | Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> nn.Module:
    """Build with freshly drawn weights.

    Args:
        preset: the named network.
        in_chans: columns of a window. num_classes, drop_rate, global_pool: see `SequenceNetwork`.
        features_only, out_indices: refused; a sequence has no feature maps.
        drop_path_rate: without effect.
        width: factor of the width, rounded to a multiple of twice the heads. depth: factor of the blocks, rounded.
        sequence: wishes that replace sizes of the preset, see `sequence.Config`.
        seed: of the first weights; None draws from torch's default generator.

    Raises RecipeError for a value out of range or a shape that cannot be.
    """
    require_positive(in_chans=in_chans)
    require_share(drop_rate=drop_rate, drop_path_rate=drop_path_rate)
    if features_only or out_indices is not None:
        raise RecipeError(
            f"{preset.name} reads sequences and has no feature maps.",
            remedy="Leave out features_only; forward_features gives the features of every step.",
        )
    try:
        wishes = sequence if isinstance(sequence, Config) else Config(**(sequence or {}))
    except ValidationError as error:
        raise RecipeError(
            f"{preset.name}: {in_words(error)}.", remedy="`triptych recipe show` prints the keys of model.sequence."
        ) from error
    sized = preset.with_wishes(wishes, width=width, depth=depth)
    # Torch's layers and ours draw their first weights from the default generator: lend them a seeded one.
    with torch.random.fork_rng(devices=[]) if seed is not None else nullcontext():
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        return SequenceNetwork(
            sized, in_chans=in_chans, num_classes=num_classes, drop_rate=drop_rate, global_pool=global_pool
        )
