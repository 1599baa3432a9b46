"""The inception block: four views of one map side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.models.googlenet.forms import Form
from triptych.models.googlenet.layers import Convolution
from triptych.models.googlenet.plan import InceptionPlan


class Inception(nn.Module):
    """1x1, 3x3 and 5x5 convolutions and a 3x3 max pooling of the same map, their channels joined (paper, figure 2b).

    Branch names are torchvision's, so that state dicts agree key for key.
    """

    def __init__(self, in_channels: int, plan: InceptionPlan, form: Form) -> None:
        super().__init__()

        def conv(inputs: int, outputs: int, kernel: int) -> Convolution:
            return Convolution(inputs, outputs, kernel, batch_norm=form.batch_norm)

        self.branch1 = conv(in_channels, plan.one, 1)
        self.branch2 = nn.Sequential(conv(in_channels, plan.reduce_three, 1), conv(plan.reduce_three, plan.three, 3))
        self.branch3 = nn.Sequential(
            conv(in_channels, plan.reduce_five, 1), conv(plan.reduce_five, plan.five, form.wide_kernel)
        )
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv(in_channels, plan.pooled, 1))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Tensor of shape (batch, out_channels of the plan, height, width)."""
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(x_BCHW) for branch in branches], dim=1)
