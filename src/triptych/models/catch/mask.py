"""Which channels may look at which in a band: a mask drawn in training and decided in evaluation.

Letters: N bands of all windows, C channels, S bins of a band, H heads (1 when all heads share the mask).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_OPEN = 1.0
"""First bias of the logits: a channel begins by looking at most others (probability 0.73)."""


def binary_concrete(logits: Tensor, temperature: float, generator: torch.Generator | None = None) -> Tensor:
    """Bernoulli draws with probability sigmoid(logits), exact forwards, differentiable backwards.

    The binary concrete law (Maddison et al. 2017; Jang et al. 2017) with the straight-through estimator: the value is
    0 or 1, the gradient is that of the relaxed draw at `temperature`. It is computed from logits and never takes the
    logarithm of a probability, so it is finite however certain the logits are.
    """
    uniform = torch.rand(logits.shape, generator=generator, device=logits.device, dtype=logits.dtype)
    tiny = torch.finfo(logits.dtype).eps
    uniform = uniform.clamp(tiny, 1.0 - tiny)
    noisy = logits + torch.log(uniform) - torch.log1p(-uniform)
    soft = torch.sigmoid(noisy / temperature)
    return (noisy > 0).to(logits.dtype) + (soft - soft.detach())


class ChannelMaskGenerator(nn.Module):
    """Row i of a mask says which channels the channel i attends to; the diagonal is always open.

    The logits are linear in the channel's band, measured against the strength of the whole band, so that loud bands do
    not saturate them. One channel alone has the mask 1.
    """

    def __init__(self, channels: int, numbers: int, *, heads: int = 1, temperature: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(heads, channels, numbers))
        self.bias = nn.Parameter(torch.full((heads, channels, channels), _OPEN))
        self.register_buffer("_diagonal", torch.eye(channels), persistent=False)
        self._temperature = temperature

    def logits(self, bands_NCS: Tensor) -> Tensor:
        """Log odds of each pair of channels, (N, H, C, C)."""
        strength = bands_NCS.square().mean(dim=(1, 2), keepdim=True).sqrt()
        relative = bands_NCS / (strength + 1e-6)
        return torch.einsum("ncs,hks->nhck", relative, self.weight.to(relative.dtype)) + self.bias

    def forward(self, bands_NCS: Tensor) -> Tensor:
        """The masks, (N, H, C, C), 0 or 1: drawn in training, the likelier value in evaluation."""
        logits = self.logits(bands_NCS)
        drawn = binary_concrete(logits, self._temperature) if self.training else (logits > 0).to(logits.dtype)
        diagonal = self.get_buffer("_diagonal").to(logits.dtype)
        return drawn * (1.0 - diagonal) + diagonal
