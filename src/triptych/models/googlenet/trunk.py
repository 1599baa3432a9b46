"""What classifier and feature extractor share: the layers in their order, and where feature maps can be taken."""

from __future__ import annotations

from torch import nn

from triptych.models.feature_info import FeaturePoint
from triptych.models.googlenet.forms import Form
from triptych.models.googlenet.inception import Inception
from triptych.models.googlenet.layers import Convolution, HalvingPool, LocalResponseNorm
from triptych.models.googlenet.plan import NetworkPlan

STAGES = ("conv1", "conv3", "inception3b", "inception4e", "inception5b")
"""The last layer of each stage: the one before the next stride."""


def build_layers(plan: NetworkPlan, form: Form, in_chans: int) -> dict[str, nn.Module]:
    """All layers by torchvision's name, in the order they are applied; pooling and normalisation carry no weights."""

    def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> Convolution:
        return Convolution(inputs, outputs, kernel, stride=stride, batch_norm=form.batch_norm)

    first, second, channels = plan.stem
    layers: dict[str, nn.Module] = {"conv1": conv(in_chans, first, 7, 2), "maxpool1": HalvingPool(3)}
    if not form.batch_norm:
        layers["norm1"] = LocalResponseNorm()
    layers |= {"conv2": conv(first, second, 1), "conv3": conv(second, channels, 3)}
    if not form.batch_norm:
        layers["norm2"] = LocalResponseNorm()
    layers["maxpool2"] = HalvingPool(3)
    for name, block in plan.inceptions.items():
        layers[name] = Inception(channels, block, form)
        channels = block.out_channels
        if name == "inception3b":
            layers["maxpool3"] = HalvingPool(3)
        elif name == "inception4e":
            layers["maxpool4"] = HalvingPool(form.last_pool)
    return layers


def feature_points(plan: NetworkPlan) -> tuple[FeaturePoint, ...]:
    """The end of every stage: one map per resolution, strides 2 to 32."""
    channels = {"conv1": plan.stem[0], "conv3": plan.stem[2]}
    channels |= {name: block.out_channels for name, block in plan.inceptions.items()}
    return tuple(
        FeaturePoint(module=name, stage=number, num_chs=channels[name], reduction=2**number)
        for number, name in enumerate(STAGES, start=1)
    )
