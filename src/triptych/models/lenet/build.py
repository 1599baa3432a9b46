"""From a form and a user's wishes to a network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from triptych.models.checks import require_one_depth, require_positive, require_share
from triptych.models.lenet.features import LeNetFeatures
from triptych.models.lenet.layers import Form, Sizes, initialise
from triptych.models.lenet.network import LeNet
from triptych.models.seeding import generator_for


def build_lenet(
    form: Form,
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
    seed: int | None = None,
) -> nn.Module:
    """Build with freshly drawn weights.

    Args:
        form: the named network.
        in_chans, num_classes, drop_rate, global_pool: see `LeNet`.
        features_only, out_indices: return feature maps instead of logits, see `LeNetFeatures`.
        drop_path_rate: without effect, there being no residual branch to skip.
        width: factor of all channels and hidden features, each rounded.
        depth: 1; LeNet-5 has one depth.
        seed: of the first weights; None draws from torch's default generator.

    Raises RecipeError for a value out of range.
    """
    require_positive(width=width, in_chans=in_chans)
    require_one_depth(form.name, depth)
    require_share(drop_rate=drop_rate, drop_path_rate=drop_path_rate)
    sizes = Sizes.of(width)
    network: nn.Module
    if features_only:
        network = LeNetFeatures(sizes, form, in_chans=in_chans, out_indices=out_indices)
    else:
        network = LeNet(
            sizes, form, in_chans=in_chans, num_classes=num_classes, drop_rate=drop_rate, global_pool=global_pool
        )
    initialise(network, form.gain, generator_for(network, seed))
    return network
