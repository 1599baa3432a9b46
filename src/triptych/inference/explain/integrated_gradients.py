"""Integrated gradients: every pixel's share of the way from an image that says nothing to this one.

With f the score, x the image and x' the one that says nothing, the share of pixel i is

    (x_i - x'_i) * integral over a from 0 to 1 of df/dx_i at x' + a (x - x'),

and all shares together are f(x) - f(x'): nothing is left out and nothing is invented. The integral is a sum over
midpoints, whose number is doubled until the sum of all shares is right.

Source: Sundararajan, Taly, Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, section 3, equation 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.inference.explain.margin import BATCH, Margin

FIRST_STEPS, MOST_STEPS = 32, 512
RELATIVE, ABSOLUTE = 0.01, 1e-4
"""The sum of all shares may miss the difference of the scores by so much."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """What integrated gradients found.

    Attributes:
        attribution: tensor of shape (channels, height, width), log-odds.
        total: sum of the attribution.
        difference: log-odds of the image less those of the one that says nothing, which `total` should be.
        steps: midpoints that were taken.
    """

    attribution: Tensor
    total: float
    difference: float
    steps: int

    @property
    def complete(self) -> bool:
        """Whether all shares add up, within a hundredth."""
        return abs(self.total - self.difference) <= RELATIVE * abs(self.difference) + ABSOLUTE


def integrated_gradients(margin: Margin, image_1CHW: Tensor, blank_CHW: Tensor) -> Shares:
    """Shares of the pixels of one image in [0, 1], shape (1, channels, height, width), against `blank_CHW`."""
    blank = blank_CHW[None].to(image_1CHW)
    ends = margin.of(torch.cat([blank, image_1CHW]))
    difference = float(ends[1] - ends[0])
    steps = FIRST_STEPS
    while True:
        attribution = _shares(margin, image_1CHW, blank, steps)
        found = Shares(attribution=attribution, total=float(attribution.sum()), difference=difference, steps=steps)
        if found.complete or steps >= MOST_STEPS:
            return found
        steps *= 2


def _shares(margin: Margin, image: Tensor, blank: Tensor, steps: int) -> Tensor:
    way = ((torch.arange(steps, dtype=image.dtype, device=image.device) + 0.5) / steps)[:, None, None, None]
    total = torch.zeros_like(image[0], dtype=torch.float64)
    for start in range(0, steps, BATCH):
        points = (blank + way[start : start + BATCH] * (image - blank)).detach().requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(margin(points).sum(), points)
        total += slope.double().sum(dim=0)
    return (total / steps * (image - blank)[0].double()).detach()
