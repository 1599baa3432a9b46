"""How a GoogLeNet is varied: its depth is one, so by its channels."""

from __future__ import annotations

from typing import Final

from triptych.domain.search import Choices, Range
from triptych.models.spaces import SearchSpace

SPACE: Final = SearchSpace(
    space={
        "width": Choices(choices=(0.125, 0.25, 0.375, 0.5, 0.75, 1.0), grows=True),
        "depth": Choices(choices=(1.0,)),
        "drop_rate": Range(low=0.0, high=0.5),
    },
    presets={
        "tiny": {"width": 0.125, "drop_rate": 0.2},
        "small": {"width": 0.25, "drop_rate": 0.2},
        "medium": {"width": 0.5, "drop_rate": 0.3},
        "full": {"width": 1.0, "drop_rate": 0.4},
    },
)
