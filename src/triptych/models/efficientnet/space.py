"""How an EfficientNet is varied: from a tenth of its channels and blocks to all of them."""

from __future__ import annotations

from typing import Final

from triptych.domain.search import Choices, Range
from triptych.models.spaces import SearchSpace

SPACE: Final = SearchSpace(
    space={
        "width": Choices(choices=(0.1, 0.15, 0.25, 0.35, 0.5, 0.75, 1.0), grows=True),
        "depth": Choices(choices=(0.1, 0.25, 0.5, 0.75, 1.0), grows=True),
        "drop_rate": Range(low=0.0, high=0.5),
        "drop_path_rate": Range(low=0.0, high=0.3),
    },
    presets={
        "tiny": {"width": 0.1, "depth": 0.1, "drop_rate": 0.2, "drop_path_rate": 0.0},
        "small": {"width": 0.25, "depth": 0.25, "drop_rate": 0.2, "drop_path_rate": 0.0},
        "medium": {"width": 0.5, "depth": 0.5, "drop_rate": 0.3, "drop_path_rate": 0.1},
        "full": {"width": 1.0, "depth": 1.0, "drop_rate": 0.3, "drop_path_rate": 0.2},
    },
)
