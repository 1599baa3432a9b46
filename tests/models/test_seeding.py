from __future__ import annotations

import torch
from torch import nn

from triptych.models.seeding import generator_for


def test_a_seed_gives_the_same_numbers_again_and_none_the_default_source() -> None:
    layer = nn.Linear(2, 2)
    draws = [torch.rand(4, generator=generator_for(layer, 7)) for _ in range(2)]
    assert torch.equal(*draws)
    assert generator_for(layer, None) is None
    assert generator_for(layer.to("meta"), 7) is None
