"""What classifier and feature extractor share: the stages, and where feature maps can be taken."""

from __future__ import annotations

from torch import nn

from triptych.models.efficientnet.blocks import build_block
from triptych.models.efficientnet.layers import LayerOptions
from triptych.models.efficientnet.scaling import NetworkPlan
from triptych.models.feature_info import FeaturePoint

STEM_STRIDE = 2


def build_stages(plan: NetworkPlan, options: LayerOptions, count: int) -> nn.Sequential:
    """The first `count` stages, each a sequence of blocks: `blocks.STAGE.BLOCK` in the state dict."""
    stages = (nn.Sequential(*(build_block(block, options) for block in stage)) for stage in plan.stages[:count])
    return nn.Sequential(*stages)


def feature_points(plan: NetworkPlan) -> tuple[FeaturePoint, ...]:
    """The ends of stages that are followed by a stride, and the end of the last: one map per resolution."""
    points = []
    reduction = STEM_STRIDE
    for index, stage in enumerate(plan.stages):
        reduction *= stage[0].stride
        is_last = index + 1 == len(plan.stages)
        if is_last or plan.stages[index + 1][0].stride > 1:
            points.append(
                FeaturePoint(
                    module=f"blocks.{index}", stage=index + 1, num_chs=stage[-1].out_channels, reduction=reduction
                )
            )
    return tuple(points)
