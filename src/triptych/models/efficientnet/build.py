"""From a variant and a user's wishes to a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from torch import nn

from triptych.domain.errors import RecipeError
from triptych.models.checks import require_positive, require_share
from triptych.models.efficientnet.features import EfficientNetFeatures
from triptych.models.efficientnet.initialise import initialise
from triptych.models.efficientnet.network import EfficientNet
from triptych.models.efficientnet.padding import Padding
from triptych.models.efficientnet.scaling import plan_network
from triptych.models.efficientnet.variants import Variant
from triptych.models.seeding import generator_for


def build_efficientnet(
    variant: Variant,
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
    padding: Padding | None = None,
    bn_eps: float | None = None,
    bn_momentum: float | None = None,
    seed: int | None = None,
) -> nn.Module:
    """Build with freshly drawn weights.

    Args:
        variant: the named network.
        in_chans, num_classes, drop_rate, global_pool: see `EfficientNet`.
        features_only, out_indices: return feature maps instead of logits, see `EfficientNetFeatures`.
        drop_path_rate: chance to skip a residual branch in training, see `plan_network`.
        width, depth: factors on top of the variant's own, for narrower and shallower networks.
        padding, bn_eps, bn_momentum: what a checkpoint dictates; None takes the variant's.
        seed: of the first weights; None draws from torch's default generator.

    Raises RecipeError for a value out of range.
    """
    require_positive(width=width, depth=depth, in_chans=in_chans)
    require_share(drop_rate=drop_rate, drop_path_rate=drop_path_rate)
    if padding is not None and padding not in get_args(Padding):
        known = ", ".join(repr(choice) for choice in get_args(Padding))
        raise RecipeError(f"Unknown padding {padding!r}.", remedy=f"Choose one of {known}.")
    plan = plan_network(
        variant.family, width=variant.width * width, depth=variant.depth * depth, drop_path_rate=drop_path_rate
    )
    options = replace(
        variant.options,
        padding=variant.options.padding if padding is None else padding,
        bn_eps=variant.options.bn_eps if bn_eps is None else bn_eps,
        bn_momentum=variant.options.bn_momentum if bn_momentum is None else bn_momentum,
    )
    network: nn.Module
    if features_only:
        network = EfficientNetFeatures(plan, options, in_chans=in_chans, out_indices=out_indices)
    else:
        network = EfficientNet(
            plan, options, in_chans=in_chans, num_classes=num_classes, drop_rate=drop_rate, global_pool=global_pool
        )
    initialise(network, generator_for(network, seed))
    return network
