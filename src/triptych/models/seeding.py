"""Where the first weights of a network come from."""

from __future__ import annotations

import torch
from torch import nn


def generator_for(network: nn.Module, seed: int | None) -> torch.Generator | None:
    """A seeded source of randomness on the network's device; the meta device draws nothing and has none."""
    device = next(network.parameters()).device
    if seed is None or device.type == "meta":
        return None
    return torch.Generator(device).manual_seed(seed)
