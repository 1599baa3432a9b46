"""The compiled loop over queries', keys' and values' maps and cell against the steps that define it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from triptych.models.xlstm import mlstm_cell
from triptych.models.xlstm.mlstm_mapped import mapped_sequence

BATCH, HEADS = 2, 2


def drawn(*shape: int, seed: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(length: int, width: int, block: int) -> list[Tensor]:
    """u, x, three maps, two gates; C and n of a fresh state."""
    features = HEADS * width
    shape = (features // block, block, block)
    return [
        drawn(BATCH, length, features, seed=0),
        drawn(BATCH, length, features, seed=1),
        *(drawn(*shape, seed=seed, scale=block**-0.5) for seed in (2, 3, 4)),
        drawn(BATCH, length, HEADS, seed=5),
        drawn(BATCH, length, HEADS, seed=6) + 2.0,
        torch.zeros(BATCH, HEADS, width, width, dtype=torch.float64),
        torch.zeros(BATCH, HEADS, width, dtype=torch.float64),
    ]


def defined(given: list[Tensor], m: Tensor) -> tuple[Tensor, mlstm_cell.State]:
    u, x, query, key, value, i, f, memory, mass = given
    of = ((u, query), (u, key), (x, value))
    mapped = (torch.unflatten(one @ torch.block_diag(*maps).T, -1, (HEADS, -1)).transpose(1, 2) for one, maps in of)
    h, after = mlstm_cell.recurrent(*mapped, i.transpose(1, 2), f.transpose(1, 2), (memory, mass, m))
    return h.transpose(1, 2), after


def compiled(given: list[Tensor], m: Tensor) -> tuple[Tensor, mlstm_cell.State]:
    u, x, query, key, value, i, f, memory, mass = given
    found = mapped_sequence(u, x, (query, key, value), i, f, (memory, mass, m))
    assert found is not None
    return found


def outputs_and_gradients(form: object, given: list[Tensor]) -> list[Tensor]:
    inputs = [one.clone().requires_grad_() for one in given]
    m = torch.full((BATCH, HEADS), mlstm_cell.FRESH, dtype=inputs[0].dtype)
    h, after = form(inputs, m)  # type: ignore[operator]
    (h * drawn(*h.shape, seed=9).to(h.dtype)).sum().backward()
    # Of a fresh state only what is put in for the first time has a meaning: its own gradients are left out.
    return [h.detach(), *(one.detach() for one in after), *(one.grad for one in inputs[:7])]  # type: ignore[misc]


@pytest.mark.parametrize(("length", "width", "block"), [(1, 16, 4), (32, 16, 16), (33, 16, 1), (77, 32, 4)])
def test_values_state_and_gradients_are_those_of_the_steps(length: int, width: int, block: int) -> None:
    given = problem(length, width, block)
    expected = outputs_and_gradients(defined, given)
    found = outputs_and_gradients(compiled, [one.float() for one in given])
    for place, (one, other) in enumerate(zip(found, expected, strict=True)):
        scale = float(other.abs().max())
        torch.testing.assert_close(
            one.double(), other, rtol=1e-3, atol=1e-4 * scale + 1e-6, msg=lambda text, place=place: f"{place}: {text}"
        )


def test_gradients_reach_back_through_the_state_of_a_stretch_whose_own_outputs_are_not_used() -> None:
    def gradients(form: object, dtype: torch.dtype) -> list[Tensor]:
        inputs = [one.to(dtype).requires_grad_() for one in problem(37, 16, 4)]
        _, (memory, mass, m) = form(inputs, torch.zeros(BATCH, HEADS, dtype=dtype))  # type: ignore[operator]
        h, _ = form([*(one.detach() for one in inputs[:7]), memory, mass], m)  # type: ignore[operator]
        (h * drawn(*h.shape, seed=9).to(dtype)).sum().backward()
        return [torch.zeros_like(one) if one.grad is None else one.grad for one in inputs[:7]]

    found = zip(gradients(compiled, torch.float32), gradients(defined, torch.float64), strict=True)
    for place, (one, other) in enumerate(found):
        scale = float(other.abs().max())
        torch.testing.assert_close(
            one.double(), other, rtol=1e-3, atol=1e-4 * scale + 1e-6, msg=lambda text, place=place: f"{place}: {text}"
        )


def test_other_widths_blocks_and_precisions_have_no_loop() -> None:
    for width, block, dtype in ((8, 4, torch.float32), (32, 32, torch.float32), (16, 4, torch.float64)):
        u, x, query, key, value, i, f, memory, mass = (one.to(dtype) for one in problem(3, width, block))
        state = memory, mass, torch.zeros(BATCH, HEADS, dtype=dtype)
        assert mapped_sequence(u, x, (query, key, value), i, f, state) is None
