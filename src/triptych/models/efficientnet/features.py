"""An EfficientNet that returns feature maps of several resolutions instead of classes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from triptych.models.efficientnet.layers import LayerOptions
from triptych.models.efficientnet.scaling import NetworkPlan
from triptych.models.efficientnet.trunk import STEM_STRIDE, build_stages, feature_points
from triptych.models.feature_info import FeatureInfo, choose_features


class EfficientNetFeatures(nn.Module):
    """Stem and stages; the 1x1 head, the classifier and every stage behind the last wanted map are left out.

    Args:
        plan: all sizes.
        options: padding and batch normalisation.
        in_chans: image channels.
        out_indices: which maps, from fine (stride 2) to coarse (stride 32); see `choose_features`.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        options: LayerOptions,
        *,
        in_chans: int = 3,
        out_indices: Sequence[int] | int | None = None,
    ) -> None:
        super().__init__()
        self.in_chans = in_chans
        self.feature_info: FeatureInfo = choose_features(feature_points(plan), out_indices)
        self._taken = frozenset(point.stage for point in self.feature_info.chosen)
        self.conv_stem = options.conv(in_chans, plan.stem_channels, 3, stride=STEM_STRIDE)
        self.bn1 = options.norm(plan.stem_channels)
        self.act = nn.SiLU(inplace=True)
        self.blocks = build_stages(plan, options, max(self._taken))

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        """Maps of shape (batch, channels, height / reduction, width / reduction), in the order of `feature_info`."""
        x_BCHW = self.act(self.bn1(self.conv_stem(x_BCHW)))
        maps = []
        for number, stage in enumerate(self.blocks, start=1):
            x_BCHW = stage(x_BCHW)
            if number in self._taken:
                maps.append(x_BCHW)
        return maps
