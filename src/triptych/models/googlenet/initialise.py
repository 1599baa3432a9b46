"""First weights of a GoogLeNet."""

from __future__ import annotations

import torch
from torch import nn

CLASSIFIER_STD = 0.01


def initialise(network: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw all weights anew, in place.

    Convolutions and hidden layers: normal with deviation sqrt(2 / fan_in) (He et al. 2015, arXiv 1502.01852), which
    keeps the size of the signal through 22 layers of ReLU even where no batch normalisation does. Last layers: normal
    with deviation 0.01, as torchvision. Biases 0, batch normalisation 1 and 0.

    Args:
        network: whose parameters are drawn.
        generator: source of randomness; torch's default one when None.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear) and not name.endswith("fc1"):
            nn.init.normal_(module.weight, std=CLASSIFIER_STD, generator=generator)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
