"""Instance normalisation: each channel of each window by its own mean and deviation. It keeps no state.

Letters: B windows, T rows, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 1e-5
"""Added to the variance, as RevIN does (Kim et al. 2022): a flat channel becomes zeros, not NaN."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moments:
    """What was taken out of windows: `mean` and `scale` (root of biased variance plus epsilon), each (B, 1, C)."""

    mean: Tensor
    scale: Tensor


def normalise(x_BTC: Tensor) -> tuple[Tensor, Moments]:
    """The windows with mean 0 and deviation 1 in each channel, and what brings them back.

    Like the reference, the moments are constants for the gradient.
    """
    with torch.no_grad():
        mean = x_BTC.mean(dim=1, keepdim=True)
        scale = (((x_BTC - mean) ** 2).mean(dim=1, keepdim=True) + EPSILON).sqrt()
    return (x_BTC - mean) / scale, Moments(mean=mean, scale=scale)


def restore(z_BTC: Tensor, moments: Moments) -> Tensor:
    """The inverse of `normalise`."""
    return z_BTC * moments.scale + moments.mean
