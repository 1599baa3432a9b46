"""The stage tables of the EfficientNet families, before any scaling.

Sources: Tan & Le 2019, table 1 (V1); Tan & Le 2021, table 4 (V2-S), and the authors' released configurations (V2-M,
L, XL and base).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["depthwise", "inverted", "fused", "plain"]
"""depthwise: MBConv without expansion; inverted: MBConv; fused: fused-MBConv; plain: one convolution."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of equal blocks; the first takes the stride. Positional, so that the tables below read like the papers'."""

    kind: Kind
    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """A network at width 1 and depth 1. `round_limit` is the share of its channels that rounding must keep."""

    stem_channels: int
    stages: tuple[Stage, ...]
    head_channels: int = 1280
    round_limit: float = 0.9


V1: Final = Family(
    stem_channels=32,
    stages=(
        Stage("depthwise", 1, 3, 1, 1, 16),
        Stage("inverted", 2, 3, 2, 6, 24),
        Stage("inverted", 2, 5, 2, 6, 40),
        Stage("inverted", 3, 3, 2, 6, 80),
        Stage("inverted", 3, 5, 1, 6, 112),
        Stage("inverted", 4, 5, 2, 6, 192),
        Stage("inverted", 1, 3, 1, 6, 320),
    ),
)

V2_BASE: Final = Family(
    stem_channels=32,
    round_limit=0.0,
    stages=(
        Stage("plain", 1, 3, 1, 1, 16),
        Stage("fused", 2, 3, 2, 4, 32),
        Stage("fused", 2, 3, 2, 4, 48),
        Stage("inverted", 3, 3, 2, 4, 96),
        Stage("inverted", 5, 3, 1, 6, 112),
        Stage("inverted", 8, 3, 2, 6, 192),
    ),
)

V2_S: Final = Family(
    stem_channels=24,
    stages=(
        Stage("plain", 2, 3, 1, 1, 24),
        Stage("fused", 4, 3, 2, 4, 48),
        Stage("fused", 4, 3, 2, 4, 64),
        Stage("inverted", 6, 3, 2, 4, 128),
        Stage("inverted", 9, 3, 1, 6, 160),
        Stage("inverted", 15, 3, 2, 6, 256),
    ),
)

V2_M: Final = Family(
    stem_channels=24,
    stages=(
        Stage("plain", 3, 3, 1, 1, 24),
        Stage("fused", 5, 3, 2, 4, 48),
        Stage("fused", 5, 3, 2, 4, 80),
        Stage("inverted", 7, 3, 2, 4, 160),
        Stage("inverted", 14, 3, 1, 6, 176),
        Stage("inverted", 18, 3, 2, 6, 304),
        Stage("inverted", 5, 3, 1, 6, 512),
    ),
)

V2_L: Final = Family(
    stem_channels=32,
    stages=(
        Stage("plain", 4, 3, 1, 1, 32),
        Stage("fused", 7, 3, 2, 4, 64),
        Stage("fused", 7, 3, 2, 4, 96),
        Stage("inverted", 10, 3, 2, 4, 192),
        Stage("inverted", 19, 3, 1, 6, 224),
        Stage("inverted", 25, 3, 2, 6, 384),
        Stage("inverted", 7, 3, 1, 6, 640),
    ),
)

V2_XL: Final = Family(
    stem_channels=32,
    stages=(
        Stage("plain", 4, 3, 1, 1, 32),
        Stage("fused", 8, 3, 2, 4, 64),
        Stage("fused", 8, 3, 2, 4, 96),
        Stage("inverted", 16, 3, 2, 4, 192),
        Stage("inverted", 24, 3, 1, 6, 256),
        Stage("inverted", 32, 3, 2, 6, 512),
        Stage("inverted", 8, 3, 1, 6, 640),
    ),
)
