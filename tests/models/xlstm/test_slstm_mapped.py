"""The compiled loop over gates' maps and cell against the steps that define it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from triptych.models.xlstm import slstm_cell
from triptych.models.xlstm.slstm_mapped import mapped_sequence

Parts = tuple[list[Tensor], slstm_cell.State]


def drawn(*shape: int, seed: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(batch: int, length: int, heads: int, width: int) -> Parts:
    """u, x, both maps, biases and the recurrent matrix; a state in the middle of a sequence."""
    inputs = [
        drawn(batch, length, heads, width, seed=0),
        drawn(batch, length, heads, width, seed=1),
        drawn(heads, 2 * width, width, seed=2, scale=0.5),
        drawn(heads, 2 * width, width, seed=3, scale=0.5),
        drawn(heads, 4 * width, seed=4),
        drawn(heads, width, 4 * width, seed=5, scale=0.3),
    ]
    fresh = slstm_cell.fresh_state(batch, heads, width, inputs[0])
    gates = drawn(batch, 4, heads, 4 * width, seed=6)
    return inputs, slstm_cell.unrolled(gates, inputs[5], fresh)[1]


def defined(inputs: list[Tensor], state: slstm_cell.State) -> tuple[Tensor, slstm_cell.State]:
    u, x, first, second, bias, recurrent = inputs
    gates = torch.cat([torch.einsum("bsnk,njk->bsnj", *one) for one in ((u, first), (x, second))], dim=-1)
    return slstm_cell.unrolled(gates + bias, recurrent, state)


def compiled(inputs: list[Tensor], state: slstm_cell.State) -> tuple[Tensor, slstm_cell.State]:
    u, x, first, second, bias, recurrent = inputs
    found = mapped_sequence(u, x, first, second, bias, recurrent, state)
    assert found is not None
    return found


def single(state: slstm_cell.State) -> slstm_cell.State:
    y, c, n, m = (one.float() for one in state)
    return y, c, n, m


# Fewer and more rows than go side by side; heads of a vector's width, of more and of less.
SHAPES = [(1, 9, 2, 16), (3, 5, 1, 3), (17, 4, 3, 20), (32, 3, 1, 32)]


@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_and_state_are_those_of_the_steps(shape: tuple[int, int, int, int]) -> None:
    inputs, state = problem(*shape)
    expected, last = defined(inputs, state)
    for keeps in (False, True):
        with torch.set_grad_enabled(keeps):
            out, after = compiled([one.float() for one in inputs], single(state))
        torch.testing.assert_close(out.double(), expected, rtol=5e-6, atol=5e-6)
        for one, other in zip(after, last, strict=True):
            torch.testing.assert_close(one.double(), other, rtol=5e-6, atol=5e-6)


def gradients(form: object, inputs: list[Tensor], state: slstm_cell.State) -> list[Tensor]:
    given = [one.clone().requires_grad_() for one in (*inputs, *state[:3])]
    out, after = form(given[:6], (*given[6:], state[3]))  # type: ignore[operator]
    # c and n share a factor, and only their quotient has a meaning: that is what a loss can depend on.
    weights = drawn(*out.shape, seed=7).to(out.dtype)
    (out * weights).sum().add((after[1] / after[2]).square().sum()).add(after[0].sum()).backward()
    return [one.grad for one in given]  # type: ignore[misc]


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_those_of_the_steps(shape: tuple[int, int, int, int]) -> None:
    inputs, state = problem(*shape)
    ours = gradients(compiled, [one.float() for one in inputs], single(state))
    for place, (one, other) in enumerate(zip(ours, gradients(defined, inputs, state), strict=True)):
        scale = float(other.abs().max())
        torch.testing.assert_close(
            one.double(), other, rtol=1e-3, atol=1e-5 * scale, msg=lambda text, place=place: f"input {place}: {text}"
        )


def test_gates_of_a_hundred_give_finite_values_and_gradients() -> None:
    inputs, _ = problem(5, 40, 2, 16)
    inputs = [one.float() for one in inputs]
    signs = torch.randint(0, 2, inputs[4].shape, generator=torch.Generator().manual_seed(0))
    inputs[4] = 200.0 * signs - 100.0
    given = [one.requires_grad_() for one in inputs]
    out, state = compiled(given, slstm_cell.fresh_state(5, 2, 16, given[0]))
    out.square().sum().backward()
    assert all(torch.isfinite(one).all() for one in (out, *state))
    assert all(one.grad is not None and torch.isfinite(one.grad).all() for one in given)


def test_a_diverged_input_shows_as_nan_in_its_row_only() -> None:
    inputs, state = problem(4, 6, 2, 16)
    inputs = [one.float() for one in inputs]
    inputs[1][1, 3, 0, 2] = torch.nan
    out, _ = compiled(inputs, single(state))
    assert torch.isnan(out[1, 3, 0]).any()
    assert torch.isfinite(out[[0, 2, 3]]).all()
    assert torch.isfinite(out[1, :3]).all()


def test_the_given_state_stays_as_it_is() -> None:
    inputs, state = problem(3, 5, 2, 16)
    given = single(state)
    kept = [one.clone() for one in given]
    compiled([one.float() for one in inputs], given)
    assert all(torch.equal(one, other) for one, other in zip(given, kept, strict=True))


def test_there_is_no_loop_in_double_precision() -> None:
    inputs, state = problem(2, 3, 1, 4)
    u, x, first, second, bias, recurrent = inputs
    assert mapped_sequence(u, x, first, second, bias, recurrent, state) is None
