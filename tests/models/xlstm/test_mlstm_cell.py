from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from triptych.models.xlstm.mlstm_cell import State, chunkwise, fresh_state, parallel, recurrent, sequence, step

BATCH, HEADS, WIDTH, VALUES = 2, 3, 4, 5


def drawn(*shape: int, seed: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(length: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> list[Tensor]:
    """q, k, v, i, f with heads before time."""
    shape = (BATCH, HEADS, length)
    parts = [
        drawn(*shape, WIDTH, seed=seed),
        drawn(*shape, WIDTH, seed=seed + 1),
        drawn(*shape, VALUES, seed=seed + 2),
        drawn(*shape, seed=seed + 3),
        drawn(*shape, seed=seed + 4) + 2.0,
    ]
    return [one.to(dtype) for one in parts]


def begun(dtype: torch.dtype = torch.float64) -> State:
    """A state in the middle of a sequence."""
    memory, mass, m = recurrent(*problem(5, seed=20), fresh())[1]
    return memory.to(dtype), mass.to(dtype), m.to(dtype)


def fresh(dtype: torch.dtype = torch.float64) -> State:
    return fresh_state(BATCH, HEADS, WIDTH, VALUES, torch.zeros((), dtype=dtype))


def as_sequence(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor, state: State) -> tuple[Tensor, State]:
    h, after = sequence(*(one.transpose(1, 2) for one in (q, k, v, i, f)), state)
    return h.transpose(1, 2), after


def test_three_steps_by_hand() -> None:
    def one_step(q: float, k: float, v: float, i: float, f: float, state: State) -> tuple[float, State]:
        parts = [torch.full((1, 1, 1), x, dtype=torch.float64) for x in (q, k, v)]
        gates = [torch.full((1, 1), x, dtype=torch.float64) for x in (i, f)]
        h, after = step(*parts, *gates, state)
        return float(h), after

    like = torch.zeros((), dtype=torch.float64)
    h, state = one_step(1.0, 1.0, 2.0, 0.0, 0.0, fresh_state(1, 1, 1, 1, like))
    assert h == pytest.approx(2.0 / (1.0 + 1e-6), abs=1e-12)
    # Half is kept and twice as much enters: C = 2 / 4 - 1, n = 1 / 4 + 1, the floor is exp(-ln 2) = 0.5.
    h, state = one_step(2.0, 1.0, -1.0, math.log(2.0), 0.0, state)
    assert h == pytest.approx(-1.0 / (2.5 + 1e-6), abs=1e-12)
    assert [round(float(one), 6) for one in state] == [-0.5, 1.25, 0.693147]
    # A weak query: |q n| = 0.1 * 1.25 lies below the floor, which then divides. (The gate keeps all but 5e-5.)
    h, _ = one_step(0.1, 1.0, 0.0, -50.0, 100.0, state)
    assert h == pytest.approx(-0.05 / 0.5, abs=1e-6)


def test_keys_are_divided_by_the_root_of_their_width() -> None:
    shape = (1, 1)
    q = k = torch.full((*shape, 4), 2.0, dtype=torch.float64)
    v = torch.ones(*shape, 1, dtype=torch.float64)
    gate = torch.zeros(*shape, dtype=torch.float64)
    _, (memory, mass, _) = step(q, k, v, gate, gate, fresh_state(1, 1, 4, 1, q))
    assert memory.flatten().tolist() == [1.0] * 4
    assert mass.flatten().tolist() == [1.0] * 4


@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 33])
def test_all_forms_agree_from_a_fresh_state(length: int) -> None:
    inputs = problem(length)
    expected, last = recurrent(*inputs, fresh())
    torch.testing.assert_close(parallel(*inputs), expected, rtol=1e-10, atol=1e-10)
    for chunk in (1, 4, 16, 64):
        h, after = chunkwise(*inputs, fresh(), chunk)
        torch.testing.assert_close(h, expected, rtol=1e-10, atol=1e-10)
        for one, other in zip(after, last, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 40), chunk=st.integers(1, 48), seed=st.integers(0, 1000))
def test_chunks_of_any_size_continue_any_state(length: int, chunk: int, seed: int) -> None:
    inputs = problem(length, seed=seed)
    expected, last = recurrent(*inputs, begun())
    h, after = chunkwise(*inputs, begun(), chunk)
    torch.testing.assert_close(h, expected, rtol=1e-8, atol=1e-9)
    for one, other in zip(after, last, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("form", [chunkwise, recurrent, as_sequence])
def test_single_precision_is_double_precision_rounded(form: Callable[..., tuple[Tensor, State]]) -> None:
    expected, last = recurrent(*problem(200), begun())
    h, after = form(*problem(200, torch.float32), begun(torch.float32))
    assert h.dtype == torch.float32
    # Where the normaliser nearly cancels, single precision keeps fewer digits: hold most to 1e-5, all to 1e-3.
    error = (h.double() - expected).abs() / (1.0 + expected.abs())
    assert error.max() < 1e-3
    assert error.quantile(0.99) < 1e-5
    for one, other in zip(after, last, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-5)


def gradients(form: Callable[..., tuple[Tensor, State]], dtype: torch.dtype, length: int = 37) -> list[Tensor]:
    """Of outputs and of what the last state would give to a query, for all inputs and C and n of the state."""
    memory, mass, m = begun(dtype)
    inputs = [one.requires_grad_() for one in (*problem(length, dtype), memory, mass)]
    h, (memory, mass, m) = form(*inputs[:5], (*inputs[5:], m))
    asked = drawn(BATCH, HEADS, WIDTH, seed=9).to(dtype)
    # C and n share a factor, and only their quotient has a meaning: that is what a loss can depend on.
    later = torch.matmul(asked[:, :, None], memory)[:, :, 0] / (asked * mass).sum(-1, keepdim=True).abs()
    (h * drawn(*h.shape, seed=8).to(dtype)).sum().add(later.sum()).backward()
    return [one.grad for one in inputs]  # type: ignore[misc]


def by_outputs_only(form: Callable[..., tuple[Tensor, State]], dtype: torch.dtype) -> list[Tensor]:
    inputs = [one.requires_grad_() for one in problem(37, dtype)]
    h, _ = form(*inputs, fresh(dtype))
    (h * drawn(*h.shape, seed=8).to(dtype)).sum().backward()
    return [one.grad for one in inputs]  # type: ignore[misc]


def test_gradients_of_the_compiled_loop_are_those_of_autograd() -> None:
    names = ("q", "k", "v", "i", "f")
    expected = by_outputs_only(recurrent, torch.float64)
    for name, ours, theirs in zip(names, by_outputs_only(as_sequence, torch.float32), expected, strict=True):
        scale = float(theirs.abs().max())
        torch.testing.assert_close(
            ours.double(), theirs, rtol=1e-3, atol=1e-4 * scale, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_gradients_of_chunks_are_those_of_steps_also_through_the_state() -> None:
    expected = gradients(recurrent, torch.float64)
    for ours, theirs in zip(gradients(chunkwise, torch.float64), expected, strict=True):
        # The stabiliser is left out of chunks' gradients: it cancels but for the 1e-6 of the divisor.
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))


def test_gradients_of_the_compiled_loop_reach_through_the_state() -> None:
    expected = gradients(chunkwise, torch.float64)
    for ours, theirs in zip(gradients(as_sequence, torch.float32), expected, strict=True):
        scale = float(theirs.abs().max())
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-3, atol=1e-4 * scale)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("form", [chunkwise, recurrent, as_sequence])
def test_gates_of_a_hundred_give_finite_values_and_gradients(
    form: Callable[..., tuple[Tensor, State]], dtype: torch.dtype
) -> None:
    q, k, v, i, f = problem(70, dtype)
    chance = torch.Generator().manual_seed(0)
    i = (200.0 * torch.randint(0, 2, i.shape, generator=chance) - 100.0).to(dtype)
    f = (200.0 * torch.randint(0, 2, f.shape, generator=chance) - 100.0).to(dtype)
    inputs = [one.requires_grad_() for one in (q, k, v, i, f)]
    h, after = form(*inputs, fresh(dtype))
    h.square().sum().backward()
    for one in (h, *after, *(one.grad for one in inputs)):
        assert one is not None
        assert torch.isfinite(one).all()


@pytest.mark.parametrize("form", [chunkwise, as_sequence])
def test_input_gates_of_minus_a_hundred_throughout_give_finite_gradients(
    form: Callable[..., tuple[Tensor, State]],
) -> None:
    q, k, v, i, f = problem(20, torch.float32)
    inputs = [one.requires_grad_() for one in (q, k, v, torch.full_like(i, -100.0), f)]
    h, _ = form(*inputs, fresh(torch.float32))
    h.sum().backward()
    assert all(torch.isfinite(one.grad).all() for one in inputs if one.grad is not None)


def test_the_given_state_stays_as_it_is() -> None:
    state = begun(torch.float32)
    kept = [one.clone() for one in state]
    as_sequence(*problem(9, torch.float32), state)
    chunkwise(*problem(9, torch.float32), state)
    assert all(torch.equal(one, other) for one, other in zip(state, kept, strict=True))


def test_mixed_precision_does_not_reach_inside() -> None:
    inputs = problem(9, torch.float32)
    halved = [one.bfloat16() for one in inputs]
    expected, _ = as_sequence(*(one.float() for one in halved), begun(torch.float32))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        h, _ = as_sequence(*halved, begun(torch.float32))
    assert h.dtype == torch.float32
    torch.testing.assert_close(h, expected)
