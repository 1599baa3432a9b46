"""How a DeepLOB is varied: its depth is one, so by its channels."""

from __future__ import annotations

from typing import Final

from triptych.domain.search import Choices
from triptych.models.spaces import SearchSpace

SPACE: Final = SearchSpace(
    space={
        "width": Choices(choices=(0.25, 0.5, 1.0, 2.0), grows=True),
        "depth": Choices(choices=(1.0,)),
    },
    presets={"small": {"width": 0.25}, "published": {"width": 1.0}},
)
