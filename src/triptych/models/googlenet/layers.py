"""The small layers of GoogLeNet: a convolution with what follows it, pooling, local response normalisation."""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BN_EPS: Final = 1e-3


class Convolution(nn.Module):
    """Convolution, batch normalisation or bias, ReLU. Attribute names are torchvision's (`BasicConv2d`).

    Args:
        in_channels, out_channels: of the convolution.
        kernel: pixels a side, odd; padding keeps the size.
        stride: in pixels.
        batch_norm: normalise (epsilon 1e-3) and have no bias; otherwise have a bias and do not normalise.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, batch_norm: bool, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=not batch_norm
        )
        self.bn = nn.BatchNorm2d(out_channels, eps=BN_EPS) if batch_norm else nn.Identity()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Tensor of shape (batch, out_channels, ceil(height / stride), ceil(width / stride))."""
        return F.relu(self.bn(self.conv(x_BCHW)), inplace=True)


class HalvingPool(nn.Module):
    """Max pooling by 2 that rounds sizes up, as in Caffe. A side shorter than the kernel is pooled whole.

    So every image has a last map, however small it is.
    """

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Tensor of shape (batch, channels, ...) with about half of height and width, at least 1."""
        height, width = x_BCHW.shape[2:]
        kernel = (min(self.kernel, height), min(self.kernel, width))
        return F.max_pool2d(x_BCHW, kernel, stride=2, ceil_mode=True)

    def extra_repr(self) -> str:
        return str(self.kernel)


class LocalResponseNorm(nn.Module):
    """Divides each value by a power of the mean square of its neighbours in channel.

    x / (1 + alpha * m)^0.75, with m the sum of squares over 5 neighbouring channels (0 beyond the ends) divided by 5,
    alpha = 1e-4. Source: Krizhevsky et al. 2012, section 3.3, with the constants of the authors' Caffe models.
    """

    SIZE: Final = 5
    ALPHA: Final = 1e-4

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Tensor of the shape of the input."""
        # The sum over neighbours as a 1x1 convolution with a band of ones: on a CPU with the channels innermost two to
        # three times as fast, with its gradient, as adding shifted slices. Scaled before it is squared, because the
        # square of 256 is too much for half precision.
        place = torch.arange(x_BCHW.shape[1], device=x_BCHW.device)
        band_CC = ((place[:, None] - place[None]).abs() <= self.SIZE // 2).to(x_BCHW.dtype)
        scaled_BCHW = x_BCHW * (self.ALPHA / self.SIZE) ** 0.5
        root_BCHW = (1.0 + F.conv2d(scaled_BCHW * scaled_BCHW, band_CC[:, :, None, None])).sqrt()
        return x_BCHW / (root_BCHW * root_BCHW.sqrt())  # the power 0.75 as two roots: several times as fast as pow
