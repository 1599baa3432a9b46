"""Which channels may look at which in a band: a mask drawn in training and decided in evaluation.

Letters: N bands of all windows, C channels, S bins of a band, H heads (1 when all heads share the mask).
"""

from __future__ import annotations

from collections.abc import Collection

import torch
import torch.nn.functional as F
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

    Attributes:
        saturates: whether draws take the logarithm of a probability, and are NaN where it has rounded to 0 or 1.
    """

    def __init__(
        self,
        channels: int,
        numbers: int,
        *,
        heads: int = 1,
        temperature: float = 1.0,
        reference_choices: Collection[str] = (),
    ) -> None:
        """Make one for bands of so many numbers; `reference_choices` as in `Config`, others than its own are ignored.

        `raw_mask_input`: bands as they are, and no bias. `squared_sampling`: the draw is that of twice the logits, so
        that P(open) = D^2 / (D^2 + (1 - D)^2) instead of D. `noisy_evaluation`: draws in evaluation too.
        `log_of_sigmoid`: a hard Gumbel softmax over the logarithms of the odds.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(heads, channels, numbers))
        self._is_raw = "raw_mask_input" in reference_choices
        self.bias = None if self._is_raw else nn.Parameter(torch.full((heads, channels, channels), _OPEN))
        self.register_buffer("_diagonal", torch.eye(channels), persistent=False)
        self._temperature = temperature
        self._power = 2.0 if "squared_sampling" in reference_choices else 1.0
        self._is_noisy = "noisy_evaluation" in reference_choices
        self.saturates = "log_of_sigmoid" in reference_choices

    def logits(self, bands_NCS: Tensor) -> Tensor:
        """Log odds of each pair of channels, (N, H, C, C)."""
        strength = bands_NCS.square().mean(dim=(1, 2), keepdim=True).sqrt()
        read = bands_NCS if self._is_raw else bands_NCS / (strength + 1e-6)
        logits = torch.einsum("ncs,hks->nhck", read, self.weight.to(read.dtype))
        return logits if self.bias is None else logits + self.bias

    def forward(self, bands_NCS: Tensor) -> Tensor:
        """The masks, (N, H, C, C), 0 or 1: drawn in training, the likelier value in evaluation."""
        logits = self.logits(bands_NCS)
        drawn = self._draw(logits) if self.training or self._is_noisy else (logits > 0).to(logits.dtype)
        diagonal = self.get_buffer("_diagonal").to(logits.dtype)
        return drawn * (1.0 - diagonal) + diagonal

    def _draw(self, logits: Tensor) -> Tensor:
        if not self.saturates:
            return binary_concrete(self._power * logits, self._temperature)
        # In single precision, as the reference: there a sigmoid is 1 from 17 on.
        probability = torch.sigmoid(logits.float())
        odds = torch.stack([probability / (1 - probability), (1 - probability) / probability], dim=-1)
        halves = 0.5 * self._power * odds.log()  # two classes that are half the log odds from zero are these odds apart
        return F.gumbel_softmax(halves, tau=self._temperature, hard=True)[..., 0].to(logits.dtype)
