from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from triptych.models.xlstm import slstm_cell
from triptych.models.xlstm.slstm_cell import _TensorSequence, fresh_state, sequence, step, unrolled

HEADS, WIDTH = 2, 3


def drawn(*shape: int, seed: int = 0, scale: float = 1.0, dtype: torch.dtype = torch.float64) -> Tensor:
    return (scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)).to(dtype)


def problem(length: int = 9, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, slstm_cell.State]:
    """Inputs, recurrent matrix and a state in the middle of a sequence."""
    x, recurrent = drawn(4, length, HEADS, 4 * WIDTH, scale=2.0), drawn(HEADS, WIDTH, 4 * WIDTH, seed=1, scale=0.5)
    _, state = unrolled(drawn(4, 5, HEADS, 4 * WIDTH, seed=2), recurrent, fresh_state(4, HEADS, WIDTH, x))
    y, c, n, m = (one.to(dtype) for one in state)
    return x.to(dtype), recurrent.to(dtype), (y, c, n, m)


def test_two_steps_by_hand() -> None:
    like = torch.zeros((), dtype=torch.float64)
    recurrent = torch.zeros(1, 1, 4, dtype=torch.float64)
    first = torch.tensor([[[0.0, 0.0, 1.0, 0.0]]], dtype=torch.float64)
    y, state = step(first, recurrent, fresh_state(1, 1, 1, like))
    assert [round(float(one), 6) for one in state] == [0.380797, 0.761594, 1.0, 0.0]
    assert float(y) == float(state[0])
    # Half is kept and twice as much enters: a quarter of the old for a whole of the new.
    second = torch.tensor([[[math.log(2.0), 0.0, -1.0, 0.0]]], dtype=torch.float64)
    _, state = step(second, recurrent, state)
    assert [round(float(one), 6) for one in state] == [-0.228478, -0.571196, 1.25, 0.693147]


def test_heads_do_not_see_one_another() -> None:
    x, recurrent, state = problem()
    base, _ = unrolled(x, recurrent, state)
    other = x.clone()
    other[:, :, 1] += 1.0
    changed, _ = unrolled(other, recurrent, state)
    assert torch.equal(base[:, :, 0], changed[:, :, 0])
    assert not torch.allclose(base[:, :, 1], changed[:, :, 1])


def test_a_rows_start_does_not_depend_on_its_neighbours() -> None:
    x, recurrent, state = problem()
    fresh = fresh_state(4, HEADS, WIDTH, x)
    mixed = tuple(torch.cat([a[:2], b[2:]]) for a, b in zip(fresh, state, strict=True))
    out, _ = sequence(x, recurrent, mixed)  # type: ignore[arg-type]
    torch.testing.assert_close(out[:2], sequence(x, recurrent, fresh)[0][:2])
    torch.testing.assert_close(out[2:], sequence(x, recurrent, state)[0][2:])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-6)])
def test_the_fast_forms_equal_the_steps(dtype: torch.dtype, tolerance: float) -> None:
    x, recurrent, state = problem()
    expected, expected_state = unrolled(x, recurrent, state)
    out, after = sequence(*problem(dtype=dtype))
    assert out.dtype == dtype
    torch.testing.assert_close(out.double(), expected, atol=tolerance, rtol=tolerance)
    for one, other in zip(after, expected_state, strict=True):
        torch.testing.assert_close(one.double(), other, atol=tolerance, rtol=tolerance)


def gradients(form: object, dtype: torch.dtype) -> list[Tensor]:
    """Of a mixture of everything that comes out, for everything that goes in but the stabiliser."""
    x, recurrent, (y, c, n, m) = problem(dtype=dtype)
    inputs = [one.clone().requires_grad_() for one in (x, recurrent, y, c, n)]
    if form is _TensorSequence:
        out, *after = form.apply(*inputs, m)  # type: ignore[attr-defined]
    else:
        out, after = form(*inputs[:2], (*inputs[2:], m))  # type: ignore[operator]
    given = drawn(*out.shape, seed=5, dtype=dtype)
    # c and n share a factor, and only their quotient has a meaning: that is what a loss can depend on.
    (out * given).sum().add((after[1] / after[2]).square().sum()).add(after[0].sum()).backward()
    found = [one.grad for one in inputs]
    assert all(one is not None for one in found)
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("form", [_TensorSequence, sequence])
def test_gradients_by_hand_are_those_of_autograd_in_double_precision(form: object) -> None:
    for ours, theirs in zip(gradients(form, torch.float64), gradients(unrolled, torch.float64), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("form", [_TensorSequence, sequence])
def test_gradients_of_the_compiled_loop_are_those_of_autograd(form: object) -> None:
    for ours, theirs in zip(gradients(form, torch.float32), gradients(unrolled, torch.float64), strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("form", [sequence, unrolled])
def test_gates_of_a_hundred_give_finite_values_and_gradients(form: object, dtype: torch.dtype) -> None:
    signs = torch.randint(0, 2, (8, 40, HEADS, 4 * WIDTH), generator=torch.Generator().manual_seed(0))
    x = (200.0 * signs - 100.0).to(dtype).requires_grad_()
    recurrent = drawn(HEADS, WIDTH, 4 * WIDTH, dtype=dtype).requires_grad_()
    out, state = form(x, recurrent, fresh_state(8, HEADS, WIDTH, x))  # type: ignore[operator]
    out.square().sum().backward()
    assert out.abs().max() <= 1.0 + 1e-6
    for one in (out, *state, x.grad, recurrent.grad):
        assert one is not None
        assert torch.isfinite(one).all()


def test_a_diverged_input_shows_as_nan() -> None:
    x, recurrent, state = problem(dtype=torch.float32)
    x[1, 3, 0, 2] = torch.nan
    out, _ = sequence(x, recurrent, state)
    assert torch.isnan(out[1, 3, 0, 2])
    assert torch.isfinite(out[[0, 2, 3]]).all()


def test_the_given_state_stays_as_it_is() -> None:
    x, recurrent, state = problem(dtype=torch.float32)
    kept = [one.clone() for one in state]
    sequence(x, recurrent, state)
    step(x[:, 0], recurrent, state)
    assert all(torch.equal(one, other) for one, other in zip(state, kept, strict=True))


def test_mixed_precision_does_not_reach_inside() -> None:
    x, recurrent, state = problem(dtype=torch.float32)
    expected, _ = sequence(x.bfloat16().float(), recurrent, state)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, _ = sequence(x.bfloat16(), recurrent, state)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, expected)
