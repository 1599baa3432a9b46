"""First convolutions for images that are not RGB, from weights that were trained on RGB."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from triptych.domain.errors import ArtifactError


def adapt_input_conv(in_chans: int, weight_OIHW: Tensor) -> Tensor:
    """Kernels for `in_chans` channels from RGB kernels, by the rule of timm's function of the same name.

    One channel takes the sum over RGB, so that a grey image gives what the same image in three channels gave. N
    channels repeat R, G, B, R, ... and are scaled by 3 / N, which keeps the size of the response. Three stay as
    they are.

    Args:
        in_chans: channels wanted.
        weight_OIHW: kernels of shape (out_channels, 3, height, width), any floating dtype.

    Returns:
        Tensor of shape (out_channels, in_chans, height, width) of the same dtype.

    Raises ArtifactError when the kernels are not for three channels.
    """
    if weight_OIHW.ndim != 4 or weight_OIHW.shape[1] != 3:
        raise ArtifactError(
            f"Only kernels for 3 channels can be adapted to {in_chans}, their shape was {list(weight_OIHW.shape)}.",
            remedy="Build the network with the number of channels the weights were trained with.",
        )
    if in_chans == 3:
        return weight_OIHW
    # Sums of half-precision kernels would lose digits, and some CPUs cannot form them.
    kernels = weight_OIHW.to(torch.float32)
    if in_chans == 1:
        kernels = kernels.sum(dim=1, keepdim=True)
    else:
        kernels = kernels.repeat(1, math.ceil(in_chans / 3), 1, 1)[:, :in_chans] * (3.0 / in_chans)
    return kernels.to(weight_OIHW.dtype)
