"""First weights of an EfficientNet, as in the authors' TensorFlow code (timm: `_init_weight_goog`)."""

from __future__ import annotations

import math

import torch
from torch import nn


def initialise(network: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw all weights anew, in place.

    Convolutions: normal with deviation sqrt(2 / fan_out), fan_out = k * k * out_channels / groups (without the division
    by groups a depthwise kernel would start far too small). Linear: uniform within 1 / sqrt(out_features). Biases 0,
    batch normalisation 1 and 0.

    Args:
        network: whose parameters are drawn.
        generator: source of randomness; torch's default one when None.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
            nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / fan_out), generator=generator)
        elif isinstance(module, nn.Linear):
            bound = 1.0 / math.sqrt(module.out_features)
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
