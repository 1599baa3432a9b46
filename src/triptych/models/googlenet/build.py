"""From a form and a user's wishes to a network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from triptych.domain.errors import RecipeError
from triptych.models.checks import require_one_depth, require_positive, require_share
from triptych.models.googlenet.features import GoogLeNetFeatures
from triptych.models.googlenet.forms import Form
from triptych.models.googlenet.initialise import initialise
from triptych.models.googlenet.network import GoogLeNet
from triptych.models.googlenet.plan import plan_network
from triptych.models.seeding import generator_for


def build_googlenet(
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
    aux_logits: bool = False,
    seed: int | None = None,
) -> nn.Module:
    """Build with freshly drawn weights.

    Args:
        form: the named network.
        in_chans, num_classes, drop_rate, global_pool, aux_logits: see `GoogLeNet`.
        features_only, out_indices: return feature maps instead of logits, see `GoogLeNetFeatures`.
        drop_path_rate: without effect, there being no residual branch to skip.
        width: factor of all channels, each rounded to a multiple of 8.
        depth: 1; GoogLeNet has one depth.
        seed: of the first weights; None draws from torch's default generator. The trunk's and the classifier's weights
            are the same with and without auxiliary classifiers.

    Raises RecipeError for a value out of range.
    """
    require_positive(width=width, in_chans=in_chans)
    require_one_depth(form.name, depth)
    require_share(drop_rate=drop_rate, drop_path_rate=drop_path_rate)
    plan = plan_network(width)
    if features_only:
        if aux_logits:
            raise RecipeError(
                "Feature maps have no classifiers, auxiliary ones neither.",
                remedy="Leave out features_only or aux_logits.",
            )
        features = GoogLeNetFeatures(plan, form, in_chans=in_chans, out_indices=out_indices)
        initialise(features, generator_for(features, seed))
        return features
    network = GoogLeNet(
        plan,
        form,
        in_chans=in_chans,
        num_classes=num_classes,
        drop_rate=drop_rate,
        global_pool=global_pool,
        aux_logits=aux_logits,
    )
    generator = generator_for(network, seed)
    auxiliary = [head for head in (network.aux1, network.aux2) if head is not None]
    for part in [*(part for part in network.children() if part not in auxiliary), *auxiliary]:
        initialise(part, generator)
    return network
