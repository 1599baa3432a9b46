"""A GoogLeNet that returns feature maps of several resolutions instead of classes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from triptych.models.feature_info import FeatureInfo, choose_features
from triptych.models.googlenet.forms import Form
from triptych.models.googlenet.plan import NetworkPlan
from triptych.models.googlenet.trunk import build_layers, feature_points


class GoogLeNetFeatures(nn.Module):
    """The layers up to the last wanted map; classifiers and whatever lies behind are left out.

    Args:
        plan: all channels.
        form: which of the three networks.
        in_chans: image channels.
        out_indices: which maps, from fine (stride 2) to coarse (stride 32); see `choose_features`.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        form: Form,
        *,
        in_chans: int = 3,
        out_indices: Sequence[int] | int | None = None,
    ) -> None:
        super().__init__()
        self.in_chans = in_chans
        self.feature_info: FeatureInfo = choose_features(feature_points(plan), out_indices)
        self._taken = frozenset(self.feature_info.module_name())
        last = self.feature_info.module_name()[-1]
        for name, layer in build_layers(plan, form, in_chans).items():
            self.add_module(name, layer)
            if name == last:
                break

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        """Maps of shape (batch, channels, height / reduction, width / reduction), in the order of `feature_info`."""
        maps = []
        for name, layer in self.named_children():
            x_BCHW = layer(x_BCHW)
            if name in self._taken:
                maps.append(x_BCHW)
        return maps
