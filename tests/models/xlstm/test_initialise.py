from __future__ import annotations

import math

import pytest
import torch

from triptych.models.xlstm import Config, XLSTMStack


def test_maps_in_are_small_and_maps_out_smaller_with_depth() -> None:
    stack = XLSTMStack(Config(width=128, blocks=4, heads=4, slstm_at=(1,)), seed=0)
    mlstm, slstm = stack.blocks[0].layer, stack.blocks[1]
    small, wang = math.sqrt(2 / (5 * 128)), 2 / (4 * math.sqrt(128))
    for one in (mlstm.up, mlstm.query, slstm.layer.input_and_forget, slstm.feedforward.up):
        assert float(one.weight.detach().std()) == pytest.approx(small, rel=0.05)
    for one in (mlstm.down, slstm.feedforward.down):
        assert float(one.weight.detach().std()) == pytest.approx(wang, rel=0.05)
    assert torch.equal(mlstm.skip, torch.ones(256))
    assert mlstm.norm.weight.abs().max() == 0  # a scale of 1 + weight


def test_mlstm_gates_begin_as_constants_of_several_speeds() -> None:
    layer = XLSTMStack(Config(width=64, blocks=2, heads=4), seed=0).blocks[0].layer
    assert layer.input_gate.weight.abs().max() == layer.forget_gate.weight.abs().max() == 0
    assert layer.forget_gate.bias.tolist() == [3.0, 4.0, 5.0, 6.0]
    assert 0 < layer.input_gate.bias.abs().max() < 0.5


def test_input_gates_of_large_blocks_begin_nearly_shut() -> None:
    block = XLSTMStack(Config(kind="large", width=16, blocks=1, heads=4), seed=0).blocks[0]
    assert block.input_gate.bias.tolist() == [-10.0] * 4
    assert block.forget_gate.bias.tolist() == [3.0, 4.0, 5.0, 6.0]


def test_slstm_forget_biases_follow_the_power_law() -> None:
    stack = XLSTMStack(Config(width=10, blocks=3, heads=2, ratio=(0, 1)), seed=0)
    first, middle, last = (block.layer.bias[:, 5:10] for block in stack.blocks)
    along = [0.0, 0.25, 0.5, 0.75, 1.0]
    for found, exponent in ((first, 0.3), (middle, 0.95), (last, 1.6)):
        torch.testing.assert_close(found[0], torch.tensor([5.0 - 12.0 * x**exponent for x in along]))
        assert torch.equal(found[0], found[1])
    others = stack.blocks[0].layer.bias.clone()
    others[:, 5:10] = 0
    assert others.abs().max() == 0
    assert stack.blocks[0].layer.recurrent.abs().max() == 0


def test_other_first_values_of_slstm_are_a_choice() -> None:
    linear = XLSTMStack(Config(width=8, blocks=1, heads=2, ratio=(0, 1), bias_init="linear"), seed=0)
    assert linear.blocks[0].layer.bias[0, 4:8].tolist() == [3.0, 4.0, 5.0, 6.0]
    uniform = XLSTMStack(
        Config(width=16, blocks=1, heads=2, ratio=(0, 1), bias_init="uniform", recurrent_init="uniform"), seed=0
    )
    layer = uniform.blocks[0].layer
    for one in (layer.bias, layer.recurrent):
        assert 0.2 < one.abs().max() <= 0.25


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("ratio", [(1, 0), (0, 1), (1, 1)])
def test_every_stack_that_is_allowed_begins_finite(heads: int, ratio: tuple[int, int]) -> None:
    stack = XLSTMStack(Config(width=8, blocks=2, heads=heads, ratio=ratio), seed=0)
    assert all(torch.isfinite(one).all() for one in stack.parameters())
    assert torch.isfinite(stack(torch.randn(2, 5, 8))[0]).all()


def test_parameters_are_as_many_as_the_reference_has() -> None:
    def count(**options: object) -> int:
        with torch.device("meta"):
            return sum(one.numel() for one in XLSTMStack(Config(**options)).parameters())  # type: ignore[arg-type]

    assert count(width=64, blocks=4, heads=4, slstm_at=(1,)) == 124_056
    assert round(count(width=128, blocks=5, heads=4, slstm_at=(1,)) / 1e6, 2) == 0.55
