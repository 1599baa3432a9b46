"""How a LeNet-5 is varied: its depth is one, so by its channels."""

from __future__ import annotations

from typing import Final

from triptych.domain.search import Choices
from triptych.models.spaces import SearchSpace

SPACE: Final = SearchSpace(
    space={
        "width": Choices(choices=(0.5, 1.0, 2.0, 4.0), grows=True),
        "depth": Choices(choices=(1.0,)),
    },
    presets={"published": {"width": 1.0}, "wide": {"width": 4.0}},
)
