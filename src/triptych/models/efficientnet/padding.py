"""The two paddings of EfficientNet checkpoints: PyTorch's symmetric k // 2 and TensorFlow's asymmetric SAME.

They differ where a stride meets an even input: SAME then adds the odd pixel at the bottom and at the right, so the same
weights see the image shifted by one pixel. A checkpoint needs the padding it was trained with.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

Padding = Literal["symmetric", "same"]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and after an axis of `size` pixels so that the output has ceil(size / stride).

    Needs kernel >= stride: the total is then never negative, and no branch on the size is needed, which may be
    symbolic in an exported graph.
    """
    total = kernel - stride + (-size) % stride
    return total // 2, total - total // 2


class Conv2dSame(nn.Conv2d):
    """A strided convolution that pads as TensorFlow's SAME does. The padding follows from the input's size alone."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, stride: int, groups: int = 1) -> None:
        if kernel_size < stride:
            raise ValueError(f"SAME padding needs a kernel of at least the stride, was {kernel_size} < {stride}.")
        super().__init__(in_channels, out_channels, kernel_size, stride=stride, groups=groups, bias=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Tensor of shape (batch, out_channels, ceil(height / stride), ceil(width / stride))."""
        top, bottom = same_padding(x_BCHW.shape[2], self.kernel_size[0], self.stride[0])
        left, right = same_padding(x_BCHW.shape[3], self.kernel_size[1], self.stride[1])
        return super().forward(F.pad(x_BCHW, (left, right, top, bottom)))


def convolution(
    in_channels: int,
    out_channels: int,
    kernel: int,
    *,
    stride: int,
    groups: int,
    padding: Padding,
) -> nn.Conv2d:
    """A convolution without bias; `kernel` is odd. At stride 1 both paddings are the same k // 2."""
    if padding == "same" and stride > 1:
        return Conv2dSame(in_channels, out_channels, kernel, stride=stride, groups=groups)
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
