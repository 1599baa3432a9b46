"""Compound scaling: from a family's stage table to the blocks of one network.

Source: Tan & Le 2019, section 3.3; rounding as in the authors' TensorFlow code and in timm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from triptych.models.channels import make_divisible
from triptych.models.efficientnet.stages import Family, Kind

_SQUEEZE_RATIO = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockPlan:
    """One block: channels, kernel in pixels, stride, expansion, and the chance that training skips its branch."""

    kind: Kind
    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    expand: int
    drop_path_rate: float

    @property
    def expanded_channels(self) -> int:
        """Channels between expansion and projection."""
        return self.in_channels * self.expand

    @property
    def squeeze_channels(self) -> int:
        """Channels of the squeeze: a quarter of the block's input, not of its expanded channels."""
        return round(self.in_channels * _SQUEEZE_RATIO)

    @property
    def has_skip(self) -> bool:
        """Whether the input is added to the output: only where both have the same shape."""
        return self.stride == 1 and self.in_channels == self.out_channels


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkPlan:
    """All sizes of one network: stem and head channels, and the blocks stage by stage."""

    stem_channels: int
    head_channels: int
    stages: tuple[tuple[BlockPlan, ...], ...]


def plan_network(family: Family, *, width: float = 1.0, depth: float = 1.0, drop_path_rate: float = 0.0) -> NetworkPlan:
    """Scale a family.

    Args:
        family: the unscaled stages.
        width: factor of all channels, stem and head included; each is then rounded to a multiple of 8.
        depth: factor of the repeats of every stage, rounded up.
        drop_path_rate: chance to skip a branch; grows linearly from 0 at the first block to
            rate * (n - 1) / n at the last of n.
    """
    repeats = [math.ceil(stage.repeats * depth) for stage in family.stages]
    n_blocks = sum(repeats)
    stem = channels = make_divisible(family.stem_channels * width, family.round_limit)
    index = 0
    stages = []
    for stage, count in zip(family.stages, repeats, strict=True):
        out_channels = make_divisible(stage.channels * width, family.round_limit)
        blocks = []
        for position in range(count):
            blocks.append(
                BlockPlan(
                    kind=stage.kind,
                    in_channels=channels,
                    out_channels=out_channels,
                    kernel=stage.kernel,
                    stride=stage.stride if position == 0 else 1,
                    expand=stage.expand,
                    drop_path_rate=drop_path_rate * index / n_blocks,
                )
            )
            channels = out_channels
            index += 1
        stages.append(tuple(blocks))
    return NetworkPlan(
        stem_channels=stem,
        head_channels=make_divisible(family.head_channels * width, family.round_limit),
        stages=tuple(stages),
    )
