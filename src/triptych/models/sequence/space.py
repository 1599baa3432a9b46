"""How a network of sequences is varied: its width and blocks, an xlstm's heads and its mixture of cells."""

from __future__ import annotations

from typing import Any

from triptych.domain.search import Choices, Dimension, Divisors, Range
from triptych.models.sequence.presets import Preset
from triptych.models.spaces import SearchSpace
from triptych.models.xlstm.config import ROUND_TO

_WIDTHS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)


def space_of(preset: Preset) -> SearchSpace:
    """What the network of a preset offers to a search, and where the search may begin."""
    space: dict[str, Dimension] = {
        "sequence.width": Choices(choices=_WIDTHS, grows=True),
        "sequence.blocks": Range(low=1, high=8, grows=True),
        "sequence.dropout": Range(low=0.0, high=0.5),
        "sequence.pool": Choices(choices=("last", "mean")),
    }
    presets: dict[str, dict[str, Any]] = {
        "tiny": {"sequence.width": 16, "sequence.blocks": 1},
        "small": {"sequence.width": 32, "sequence.blocks": 2},
        "medium": {"sequence.width": 64, "sequence.blocks": 3},
    }
    if preset.family == "xlstm":
        # A head of one feature has no memory of its own: two at least. Heads divide the width inside an mLSTM block
        # too, which is a multiple of 64.
        space["sequence.heads"] = Divisors(divisors_of="model.sequence.width", at_most=8, quotient=2, divides=ROUND_TO)
        # mLSTM blocks to sLSTM blocks: none, a quarter, half and all of them sLSTM.
        space["sequence.ratio"] = Choices(choices=((1, 0), (3, 1), (1, 1), (0, 1)))
        # Where a mixture has them: on one kind of blocks alone the question is void.
        space["sequence.order"] = Choices(
            choices=("inner", "first", "last"), when={"model.sequence.ratio": ((3, 1), (1, 1))}
        )
        for start in presets.values():
            start |= {"sequence.heads": 2, "sequence.ratio": (1, 1), "sequence.order": "inner"}
    return SearchSpace(space=space, presets=presets)
