"""AdamW and its learning rate over time."""

from __future__ import annotations

import math

import torch
from torch import nn


def adamw(network: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019) that decays matrices and kernels only.

    Biases and the scales of normalisations, everything of one dimension or none, are not decayed: pulling them to zero
    shrinks the function, not its complexity.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=learning_rate)


def warmup_cosine(step: int, *, steps: int, warmup_steps: int, floor: float) -> float:
    """Factor of the learning rate: linear up to 1 over `warmup_steps`, then half a cosine down to `floor` at `steps`.

    The cosine without restarts of Loshchilov & Hutter 2017 (SGDR), section 3.
    """
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    done = min((step - warmup_steps) / max(steps - warmup_steps, 1), 1.0)
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * done))
