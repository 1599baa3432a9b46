"""The channels of GoogLeNet, block by block, at any width.

Source: Szegedy et al. 2015, "Going deeper with convolutions", arXiv 1409.4842, table 1 and section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from triptych.models.channels import make_divisible


@dataclass(frozen=True, slots=True)
class InceptionPlan:
    """Channels of the branches of one block. Positional, so that the table below reads like the paper's.

    Attributes:
        one: of the 1x1 branch.
        reduce_three, three: before and after the 3x3 branch's convolution.
        reduce_five, five: before and after the 5x5 branch's convolution.
        pooled: of the 1x1 projection behind the pooling branch.
    """

    one: int
    reduce_three: int
    three: int
    reduce_five: int
    five: int
    pooled: int

    @property
    def out_channels(self) -> int:
        """Channels of the four branches together."""
        return self.one + self.three + self.five + self.pooled


INCEPTIONS: Final = {
    "inception3a": InceptionPlan(64, 96, 128, 16, 32, 32),
    "inception3b": InceptionPlan(128, 128, 192, 32, 96, 64),
    "inception4a": InceptionPlan(192, 96, 208, 16, 48, 64),
    "inception4b": InceptionPlan(160, 112, 224, 24, 64, 64),
    "inception4c": InceptionPlan(128, 128, 256, 24, 64, 64),
    "inception4d": InceptionPlan(112, 144, 288, 32, 64, 64),
    "inception4e": InceptionPlan(256, 160, 320, 32, 128, 128),
    "inception5a": InceptionPlan(256, 160, 320, 32, 128, 128),
    "inception5b": InceptionPlan(384, 192, 384, 48, 128, 128),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkPlan:
    """All channels of one network.

    Attributes:
        stem: of conv1 (7x7), conv2 (1x1) and conv3 (3x3).
        inceptions: of the blocks by name, in order.
        auxiliary: of an auxiliary classifier's 1x1 convolution and of its hidden layer.
    """

    stem: tuple[int, int, int]
    inceptions: dict[str, InceptionPlan]
    auxiliary: tuple[int, int]


def plan_network(width: float = 1.0) -> NetworkPlan:
    """Multiply every number of channels by `width`, each rounded to a multiple of 8; at 1 they are the paper's."""

    def scaled(*channels: int) -> list[int]:
        return [make_divisible(count * width) for count in channels]

    first, second, third = scaled(64, 64, 192)
    convolution, hidden = scaled(128, 1024)
    return NetworkPlan(
        stem=(first, second, third),
        inceptions={
            name: InceptionPlan(
                *scaled(plan.one, plan.reduce_three, plan.three, plan.reduce_five, plan.five, plan.pooled)
            )
            for name, plan in INCEPTIONS.items()
        },
        auxiliary=(convolution, hidden),
    )
