"""The four blocks of EfficientNet. Attribute names are timm's, so that state dicts agree key for key."""

from __future__ import annotations

from torch import Tensor, nn

from triptych.models.efficientnet.layers import DropPath, LayerOptions, SqueezeExcite
from triptych.models.efficientnet.scaling import BlockPlan
from triptych.models.efficientnet.stages import Kind


def _drop_path(plan: BlockPlan) -> nn.Module:
    """Only a block with a skip has another path to take."""
    return DropPath(plan.drop_path_rate) if plan.has_skip and plan.drop_path_rate > 0 else nn.Identity()


class PlainBlock(nn.Module):
    """Convolution, normalisation, SiLU, and the input added where shapes allow (first stage of V2)."""

    def __init__(self, plan: BlockPlan, options: LayerOptions) -> None:
        super().__init__()
        self.has_skip = plan.has_skip
        self.conv = options.conv(plan.in_channels, plan.out_channels, plan.kernel, stride=plan.stride)
        self.bn1 = options.norm(plan.out_channels)
        self.act = nn.SiLU(inplace=True)
        self.drop_path = _drop_path(plan)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Tensor of shape (batch, out_channels, height, width), spatially divided by the stride."""
        y_BCHW: Tensor = self.act(self.bn1(self.conv(x_BCHW)))
        if self.has_skip:
            y_BCHW = self.drop_path(y_BCHW) + x_BCHW
        return y_BCHW


class DepthwiseBlock(nn.Module):
    """Depthwise convolution, squeeze-and-excitation, 1x1 projection: MBConv without expansion (first stage of V1)."""

    def __init__(self, plan: BlockPlan, options: LayerOptions) -> None:
        super().__init__()
        channels = plan.in_channels
        self.has_skip = plan.has_skip
        self.conv_dw = options.conv(channels, channels, plan.kernel, stride=plan.stride, groups=channels)
        self.bn1 = options.norm(channels)
        self.act = nn.SiLU(inplace=True)
        self.se = SqueezeExcite(channels, plan.squeeze_channels)
        self.conv_pw = options.conv(channels, plan.out_channels, 1)
        self.bn2 = options.norm(plan.out_channels)
        self.drop_path = _drop_path(plan)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Tensor of shape (batch, out_channels, height, width), spatially divided by the stride."""
        y_BCHW: Tensor = self.se(self.act(self.bn1(self.conv_dw(x_BCHW))))
        y_BCHW = self.bn2(self.conv_pw(y_BCHW))
        if self.has_skip:
            y_BCHW = self.drop_path(y_BCHW) + x_BCHW
        return y_BCHW


class InvertedResidual(nn.Module):
    """MBConv: 1x1 expansion, depthwise convolution, squeeze-and-excitation, linear 1x1 projection.

    Source: Sandler et al. 2018, arXiv 1801.04381, with the gate of Hu et al. 2018.
    """

    def __init__(self, plan: BlockPlan, options: LayerOptions) -> None:
        super().__init__()
        channels = plan.expanded_channels
        self.has_skip = plan.has_skip
        self.conv_pw = options.conv(plan.in_channels, channels, 1)
        self.bn1 = options.norm(channels)
        self.conv_dw = options.conv(channels, channels, plan.kernel, stride=plan.stride, groups=channels)
        self.bn2 = options.norm(channels)
        self.act = nn.SiLU(inplace=True)
        self.se = SqueezeExcite(channels, plan.squeeze_channels)
        self.conv_pwl = options.conv(channels, plan.out_channels, 1)
        self.bn3 = options.norm(plan.out_channels)
        self.drop_path = _drop_path(plan)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Tensor of shape (batch, out_channels, height, width), spatially divided by the stride."""
        y_BCHW: Tensor = self.act(self.bn1(self.conv_pw(x_BCHW)))
        y_BCHW = self.se(self.act(self.bn2(self.conv_dw(y_BCHW))))
        y_BCHW = self.bn3(self.conv_pwl(y_BCHW))
        if self.has_skip:
            y_BCHW = self.drop_path(y_BCHW) + x_BCHW
        return y_BCHW


class FusedInvertedResidual(nn.Module):
    """Fused-MBConv: one full convolution expands, a linear 1x1 projects; no gate (early stages of V2)."""

    def __init__(self, plan: BlockPlan, options: LayerOptions) -> None:
        super().__init__()
        channels = plan.expanded_channels
        self.has_skip = plan.has_skip
        self.conv_exp = options.conv(plan.in_channels, channels, plan.kernel, stride=plan.stride)
        self.bn1 = options.norm(channels)
        self.act = nn.SiLU(inplace=True)
        self.conv_pwl = options.conv(channels, plan.out_channels, 1)
        self.bn2 = options.norm(plan.out_channels)
        self.drop_path = _drop_path(plan)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Tensor of shape (batch, out_channels, height, width), spatially divided by the stride."""
        y_BCHW: Tensor = self.act(self.bn1(self.conv_exp(x_BCHW)))
        y_BCHW = self.bn2(self.conv_pwl(y_BCHW))
        if self.has_skip:
            y_BCHW = self.drop_path(y_BCHW) + x_BCHW
        return y_BCHW


_BLOCKS: dict[Kind, type[nn.Module]] = {
    "plain": PlainBlock,
    "depthwise": DepthwiseBlock,
    "inverted": InvertedResidual,
    "fused": FusedInvertedResidual,
}


def build_block(plan: BlockPlan, options: LayerOptions) -> nn.Module:
    """The block a plan describes."""
    return _BLOCKS[plan.kind](plan, options)
