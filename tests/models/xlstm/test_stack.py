from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from triptych.domain.errors import DataError
from triptych.models.xlstm import Config, StackState, XLSTMStack

SHAPES = {
    "mixed": Config(width=16, blocks=3, heads=2, slstm_at=(1,)),
    "mlstm": Config(width=16, blocks=2, heads=4),
    "slstm": Config(width=12, blocks=2, heads=3, ratio=(0, 1), recurrent_init="uniform"),
    "no convolution, capped": Config(width=16, blocks=2, heads=2, slstm_at=(0,), kernel=0, soft_cap=15.0),
    "large": Config(kind="large", width=16, blocks=2, heads=2),
}
shapes = pytest.mark.parametrize("shape", SHAPES)
LENGTH = 23


def stack_of(shape: str) -> XLSTMStack:
    stack = XLSTMStack(SHAPES[shape], seed=3).eval()
    # As drawn, gates are constants and recurrences zero: shake every weight so that all of them matter.
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for one in stack.parameters():
            one.add_(0.3 * torch.randn(one.shape, generator=generator) / max(one.ndim, 1))
    return stack


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def assert_same(one: StackState, other: StackState, tolerance: float = 1e-5) -> None:
    for a, b in zip(one.blocks, other.blocks, strict=True):
        for x, y in zip(a, b, strict=True):
            torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance)


@shapes
@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, LENGTH), max_size=4))
@torch.no_grad()
def test_however_a_sequence_is_cut_the_outputs_and_the_last_state_are_the_same(shape: str, cuts: list[int]) -> None:
    stack, x = stack_of(shape), drawn(2, LENGTH, SHAPES[shape].width)
    whole, last = stack(x)
    bounds = [0, *sorted(cuts), LENGTH]
    state, parts = None, []
    for start, stop in itertools.pairwise(bounds):
        part, state = stack(x[:, start:stop], state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-5, atol=1e-5)
    assert state is not None
    assert_same(state, last)


@shapes
@torch.no_grad()
def test_step_by_step_equals_the_whole_and_either_continues_the_other(shape: str) -> None:
    stack, x = stack_of(shape), drawn(2, LENGTH, SHAPES[shape].width)
    whole, last = stack(x)
    out, state = stack(x[:, :10])
    torch.testing.assert_close(out, whole[:, :10], rtol=1e-5, atol=1e-5)
    for t in range(10, 17):
        y, state = stack.step(x[:, t], state)
        torch.testing.assert_close(y, whole[:, t], rtol=1e-5, atol=1e-5)
    out, state = stack(x[:, 17:], state)
    torch.testing.assert_close(out, whole[:, 17:], rtol=1e-5, atol=1e-5)
    assert_same(state, last)


@shapes
@torch.no_grad()
def test_a_step_sees_no_later_one(shape: str) -> None:
    stack, x = stack_of(shape), drawn(2, LENGTH, SHAPES[shape].width)
    other = x.clone()
    other[:, 12:] = 100.0
    before, _ = stack(x)
    after, _ = stack(other)
    torch.testing.assert_close(after[:, :12], before[:, :12], rtol=1e-6, atol=1e-6)


@shapes
@torch.no_grad()
def test_single_precision_is_double_precision_rounded(shape: str) -> None:
    stack, x = stack_of(shape), drawn(4, 96, SHAPES[shape].width)
    single, _ = stack(x)
    double, _ = stack.double()(x.double())
    torch.testing.assert_close(single.double(), double, rtol=1e-3, atol=1e-4)


@shapes
@torch.no_grad()
def test_a_state_is_never_changed_and_may_be_continued_twice(shape: str) -> None:
    stack, x = stack_of(shape), drawn(2, LENGTH, SHAPES[shape].width)
    _, state = stack(x)
    kept = StackState(tuple(tuple(one.clone() for one in block) for block in state.blocks))
    first, _ = stack(x, state)
    stack.step(x[:, 0], state)
    second, _ = stack(x, state)
    assert torch.equal(first, second)
    assert_same(state, kept, 0.0)


@shapes
@torch.no_grad()
def test_rows_are_reset_one_by_one(shape: str) -> None:
    stack, x = stack_of(shape), drawn(3, LENGTH, SHAPES[shape].width)
    _, state = stack(x)
    cleared = stack.reset(state, torch.tensor([False, True, False]))
    continued, _ = stack(x, state)
    fresh, _ = stack(x)
    out, _ = stack(x, cleared)
    torch.testing.assert_close(out[1], fresh[1], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(out[[0, 2]], continued[[0, 2]], rtol=1e-6, atol=1e-6)
    assert not torch.allclose(continued[1], fresh[1])


@shapes
def test_gradients_are_those_of_plain_operations_in_double_precision(shape: str) -> None:
    def gradients(dtype: torch.dtype) -> dict[str, Tensor]:
        stack, x = stack_of(shape).to(dtype), drawn(3, LENGTH, SHAPES[shape].width).to(dtype).requires_grad_()
        out, _ = stack(x)
        (out * drawn(*out.shape, seed=1).to(dtype)).sum().backward()
        found = {name: one.grad for name, one in stack.named_parameters()} | {"input": x.grad}
        return {name: one for name, one in found.items() if one is not None}

    single, double = gradients(torch.float32), gradients(torch.float64)
    assert single.keys() == double.keys()
    for name, one in single.items():
        scale = float(double[name].abs().max())
        torch.testing.assert_close(
            one.double(), double[name], rtol=5e-3, atol=1e-3 * scale, msg=lambda text, name=name: f"{name}: {text}"
        )


@shapes
def test_gradients_flow_through_the_state_and_stop_where_it_is_detached(shape: str) -> None:
    stack, x = stack_of(shape), drawn(2, LENGTH, SHAPES[shape].width)
    early = x[:, :9].clone().requires_grad_()
    _, state = stack(early)
    stack(x[:, 9:], state)[0].square().sum().backward()
    assert early.grad is not None
    assert early.grad.abs().max() > 0
    out, _ = stack(x[:, 9:], state.detach())
    assert not any(one.requires_grad for block in state.detach().blocks for one in block)
    out.sum().backward()


def test_dropout_acts_in_training_only() -> None:
    stack = XLSTMStack(Config(width=16, blocks=2, heads=2, slstm_at=(0,), dropout=0.5), seed=0)
    x = drawn(2, 8, 16)
    torch.manual_seed(0)
    assert not torch.equal(stack(x)[0], stack(x)[0])
    stack.eval()
    assert torch.equal(stack(x)[0], stack(x)[0])


def test_an_empty_sequence_changes_nothing() -> None:
    stack, x = stack_of("mixed"), drawn(2, 5, 16)
    _, state = stack(x)
    out, after = stack(x[:, :0], state)
    assert out.shape == (2, 0, 16)
    assert after is state


def test_input_of_another_shape_and_a_state_of_other_rows_are_refused() -> None:
    stack = stack_of("mixed")
    with pytest.raises(DataError) as caught:
        stack(drawn(2, 5, 8))
    assert str(caught.value) == "Expected a sequence (batch, time, 16), was (2, 5, 8)."
    with pytest.raises(DataError) as caught:
        stack.step(drawn(2, 5, 16))
    assert str(caught.value) == "Expected a step (batch, 16), was (2, 5, 16)."
    with pytest.raises(DataError) as caught:
        stack(drawn(2, 5, 16), stack.fresh_state(3))
    assert str(caught.value) == (
        "The state has 3 blocks and 3 rows, and the input needs 3 and 2. "
        "Pass the state that this network returned for the same rows."
    )


def test_the_same_seed_draws_the_same_weights() -> None:
    one, same, other = (XLSTMStack(SHAPES["mixed"], seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)
