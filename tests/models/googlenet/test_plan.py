from __future__ import annotations

import pytest

from triptych.models.googlenet.plan import INCEPTIONS, plan_network


def test_channels_at_width_1_are_the_papers() -> None:
    plan = plan_network()
    assert plan.stem == (64, 64, 192)
    assert plan.auxiliary == (128, 1024)
    assert plan.inceptions == INCEPTIONS
    assert [block.out_channels for block in plan.inceptions.values()] == [
        256, 480, 512, 512, 512, 528, 832, 832, 1024,
    ]  # fmt: skip


def test_a_quarter_of_the_width_rounds_every_number_to_a_multiple_of_8() -> None:
    plan = plan_network(0.25)
    assert plan.stem == (16, 16, 48)
    assert plan.auxiliary == (32, 256)
    block = plan.inceptions["inception3a"]  # 64, 96, 128, 16, 32, 32
    assert (block.one, block.reduce_three, block.three) == (16, 24, 32)
    assert (block.reduce_five, block.five, block.pooled) == (8, 8, 8)
    assert block.out_channels == 64


@pytest.mark.parametrize("width", [0.01, 0.3, 1.7])
def test_no_branch_disappears_at_any_width(width: float) -> None:
    for block in plan_network(width).inceptions.values():
        numbers = (block.one, block.reduce_three, block.three, block.reduce_five, block.five, block.pooled)
        assert all(number >= 8 and number % 8 == 0 for number in numbers)
