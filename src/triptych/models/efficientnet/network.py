"""The EfficientNet classifier. Methods and attributes follow timm's conventions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from triptych.models.efficientnet.initialise import initialise
from triptych.models.efficientnet.layers import LayerOptions
from triptych.models.efficientnet.scaling import NetworkPlan
from triptych.models.efficientnet.trunk import STEM_STRIDE, build_stages, feature_points
from triptych.models.feature_info import FeatureInfo, choose_features
from triptych.models.head import create_classifier
from triptych.models.pooling import GlobalPooling


class EfficientNet(nn.Module):
    """Stem, stages, 1x1 head, pooling, dropout, linear classifier.

    Weights are torch's defaults until `initialise` draws them or a checkpoint fills them.

    Args:
        plan: all sizes.
        options: padding and batch normalisation.
        in_chans: image channels.
        num_classes: classes; 0 removes the classifier, and the output is (batch, num_features).
        drop_rate: dropout before the classifier, in training only.
        global_pool: avg, max, avgmax, or empty to keep the map (then num_classes must be 0).

    Raises RecipeError when a classifier is asked for without pooling.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        options: LayerOptions,
        *,
        in_chans: int = 3,
        num_classes: int = 1000,
        drop_rate: float = 0.0,
        global_pool: str = "avg",
    ) -> None:
        super().__init__()
        self.in_chans = in_chans
        self.drop_rate = drop_rate
        self.num_features = plan.head_channels
        self.feature_info: FeatureInfo = choose_features(feature_points(plan), None)
        self.conv_stem = options.conv(in_chans, plan.stem_channels, 3, stride=STEM_STRIDE)
        self.bn1 = options.norm(plan.stem_channels)
        self.act = nn.SiLU(inplace=True)
        self.blocks = build_stages(plan, options, len(plan.stages))
        self.conv_head = options.conv(plan.stages[-1][-1].out_channels, plan.head_channels, 1)
        self.bn2 = options.norm(plan.head_channels)
        self._set_classifier(num_classes, global_pool)

    def _set_classifier(self, num_classes: int, global_pool: str) -> None:
        self.num_classes = num_classes
        self.global_pool = GlobalPooling(global_pool)
        self.classifier = create_classifier(self.num_features, num_classes, global_pool)

    def get_classifier(self) -> nn.Module:
        """The last layer: a linear one, or the identity when num_classes is 0."""
        return self.classifier

    def reset_classifier(self, num_classes: int, global_pool: str = "avg") -> None:
        """Replace the last layer by a fresh one for `num_classes` classes, on the same device and of the same dtype."""
        weight = self.conv_head.weight
        self._set_classifier(num_classes, global_pool)
        initialise(self.classifier)
        self.classifier.to(device=weight.device, dtype=weight.dtype)
        self.classifier.train(self.training)

    def forward_features(self, x_BCHW: Tensor) -> Tensor:
        """The last feature map, of shape (batch, num_features, height / 32, width / 32), for images as in `forward`."""
        x_BCHW = self.blocks(self.act(self.bn1(self.conv_stem(x_BCHW))))
        x_BCHW = self.act(self.bn2(self.conv_head(x_BCHW)))
        return x_BCHW

    def forward_head(self, x_BCHW: Tensor, pre_logits: bool = False) -> Tensor:
        """From the last feature map to logits (batch, num_classes), or with `pre_logits` to the classifier's input."""
        x: Tensor = self.global_pool(x_BCHW)
        if self.drop_rate > 0.0:
            x = F.dropout(x, p=self.drop_rate, training=self.training)
        if not pre_logits:
            x = self.classifier(x)
        return x

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Logits of shape (batch, num_classes) for images of shape (batch, in_chans, height, width)."""
        return self.forward_head(self.forward_features(x_BCHW))
