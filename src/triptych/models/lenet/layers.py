"""The two convolutions of LeNet-5 with what follows each, and the sizes of everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import torch
from torch import Tensor, nn

from triptych.models.feature_info import FeaturePoint

SMALLEST_IMAGE: Final = 13
"""Pixels a side: below, there would be less to convolve than the second kernel has pixels."""


def scaled_tanh(x: Tensor) -> Tensor:
    """1.7159 tanh(2 x / 3), which takes 1 to 1 and -1 to -1 (paper, appendix A)."""
    return 1.7159 * torch.tanh(x * (2.0 / 3.0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """What follows each convolution.

    Attributes:
        name: of the registered model.
        activation: applied to every layer but the last.
        pooling: halves a map, rounding sizes up.
        gain: size of the first weights against 1 / sqrt(fan_in), so that the activation keeps the size of the signal.
    """

    name: str
    activation: Callable[[Tensor], Tensor]
    pooling: Callable[[], nn.Module]
    gain: float


FORMS: Final = {
    form.name: form
    for form in (
        Form(name="lenet5", activation=scaled_tanh, pooling=partial(nn.AvgPool2d, 2, ceil_mode=True), gain=1.0),
        Form(
            name="lenet5_relu", activation=torch.relu, pooling=partial(nn.MaxPool2d, 2, ceil_mode=True), gain=2.0**0.5
        ),
    )
}
"""Both forms by the name of their model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """Maps of the two convolutions (paper: C1, C3) and features of the two full layers (C5, F6)."""

    conv1: int
    conv2: int
    fc1: int
    fc2: int

    @classmethod
    def of(cls, width: float) -> Sizes:
        """The paper's numbers times `width`, rounded, at least 1."""
        conv1, conv2, fc1, fc2 = (max(1, round(count * width)) for count in (6, 16, 120, 84))
        return cls(conv1=conv1, conv2=conv2, fc1=fc1, fc2=fc2)


def feature_points(sizes: Sizes) -> tuple[FeaturePoint, ...]:
    """The maps before each pooling, and after the last. Convolutions have no padding: a map is a few pixels smaller."""
    return (
        FeaturePoint(module="conv1", stage=1, num_chs=sizes.conv1, reduction=1),
        FeaturePoint(module="conv2", stage=2, num_chs=sizes.conv2, reduction=2),
        FeaturePoint(module="pool2", stage=3, num_chs=sizes.conv2, reduction=4),
    )


def initialise(network: nn.Module, gain: float, generator: torch.Generator | None = None) -> None:
    """Draw all weights anew, in place: normal with deviation gain / sqrt(fan_in), biases 0.

    The deviation 1 / sqrt(fan_in) for the scaled tanh is that of LeCun et al. 1998, "Efficient BackProp", section 4.6.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            nn.init.normal_(module.weight, std=gain / fan_in**0.5, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
