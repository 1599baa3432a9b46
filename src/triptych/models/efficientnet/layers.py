"""The small layers blocks are made of: normalisation and padding choice, squeeze-and-excitation, drop path."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from triptych.models.efficientnet.padding import Padding, convolution


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerOptions:
    """What every layer of one network shares, and what a checkpoint dictates.

    Attributes:
        padding: symmetric (PyTorch) or same (TensorFlow).
        bn_eps: added to the variance in batch normalisation.
        bn_momentum: share of the new batch in the running statistics.
    """

    padding: Padding = "symmetric"
    bn_eps: float = 1e-5
    bn_momentum: float = 0.1

    def conv(self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Conv2d:
        """A convolution without bias."""
        return convolution(in_channels, out_channels, kernel, stride=stride, groups=groups, padding=self.padding)

    def norm(self, channels: int) -> nn.BatchNorm2d:
        """A batch normalisation."""
        return nn.BatchNorm2d(channels, eps=self.bn_eps, momentum=self.bn_momentum)


class SqueezeExcite(nn.Module):
    """Weighs channels by a gate computed from their means (Hu et al. 2018, arXiv 1709.01507)."""

    def __init__(self, channels: int, squeeze_channels: int) -> None:
        super().__init__()
        self.conv_reduce = nn.Conv2d(channels, squeeze_channels, 1)
        self.act1 = nn.SiLU(inplace=True)
        self.conv_expand = nn.Conv2d(squeeze_channels, channels, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Tensor of the shape of the input."""
        mean_BC11 = x_BCHW.mean((2, 3), keepdim=True)
        gate_BC11: Tensor = self.conv_expand(self.act1(self.conv_reduce(mean_BC11)))
        return x_BCHW * gate_BC11.sigmoid()


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016, arXiv 1603.09382).

    In training, a sample's whole branch is zeroed with chance `rate`, and kept branches are divided by 1 - rate so that
    the mean stays. In evaluation it does nothing.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Tensor of the shape of the input."""
        if not self.training or self.rate == 0.0:
            return x_BCHW
        keep = 1.0 - self.rate
        mask_B111 = x_BCHW.new_empty((x_BCHW.shape[0], 1, 1, 1)).bernoulli_(keep)
        return x_BCHW * (mask_B111 / keep)

    def extra_repr(self) -> str:
        return f"rate={self.rate:.4f}"
