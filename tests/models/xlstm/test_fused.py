"""Compiled loops around the mLSTM cell against the tensor operations that define them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from triptych.models.xlstm import fused
from triptych.models.xlstm.convolution import CausalConvolution
from triptych.models.xlstm.headwise import HeadwiseLinear


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def assert_same(form: Callable[..., Tensor], definition: Callable[..., Tensor], *given: Tensor) -> None:
    """Values and gradients of a loop in single precision are those of the definition in double."""
    inputs = [one.float().requires_grad_() for one in given]
    exact = [one.clone().requires_grad_() for one in given]
    out, expected = form(*inputs), definition(*exact)
    torch.testing.assert_close(out.double(), expected, rtol=1e-4, atol=1e-5)
    weights = drawn(*expected.shape, seed=99)
    (out * weights.float()).sum().backward()
    (expected * weights).sum().backward()
    for place, (one, other) in enumerate(zip(inputs, exact, strict=True)):
        assert one.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(
            one.grad.double(), other.grad, rtol=1e-3, atol=1e-4, msg=lambda text, place=place: f"input {place}: {text}"
        )


def test_groups_of_four_by_hand_and_against_one_matrix() -> None:
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0, 1.0, 1.0, 1.0, 1.0]])
    weight = torch.stack([torch.arange(16.0).reshape(4, 4), 2 * torch.eye(4)])
    found = fused.quads(x, weight)
    assert found is not None
    assert found.tolist() == [[20.0, 60.0, 100.0, 140.0, 2.0, 2.0, 2.0, 2.0]]

    def definition(x: Tensor, weight: Tensor) -> Tensor:
        return x @ torch.block_diag(*weight).T

    def form(x: Tensor, weight: Tensor) -> Tensor:
        found = fused.quads(x, weight)
        assert found is not None
        return found

    # More steps than are summed at a time, and not a multiple of them.
    assert_same(form, definition, drawn(3, 200, 12), drawn(3, 4, 4, seed=1))


def test_there_is_no_loop_for_other_groups_and_precisions() -> None:
    assert fused.quads(torch.zeros(2, 8), torch.zeros(1, 8, 8)) is None
    assert fused.quads(torch.zeros(2, 8).double(), torch.zeros(2, 4, 4).double()) is None


@pytest.mark.parametrize(("width", "blocks"), [(8, 2), (24, 3), (512, 4)])
def test_headwise_maps_are_block_diagonal_in_every_form(width: int, blocks: int) -> None:
    torch.manual_seed(0)
    layer = HeadwiseLinear(width, blocks)
    torch.nn.init.normal_(layer.weight)
    x = torch.randn(5, width)
    expected = x @ torch.block_diag(*layer.weight).T
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(layer.double()(x.double()), expected.double(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("length", [1, 2, 9])
def test_the_convolution_sees_the_steps_before_it_and_is_opened(length: int) -> None:
    def definition(x: Tensor, before: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        seen = torch.cat([before, x], dim=1).transpose(1, 2)
        filtered = F.conv1d(seen, weight.T[:, None], bias, groups=len(bias)).transpose(1, 2)
        return F.silu(filtered)

    given = drawn(2, length, 6), drawn(2, 3, 6, seed=1), drawn(4, 6, seed=2), drawn(6, seed=3)
    assert_same(fused.convolved, definition, *given)
    torch.testing.assert_close(fused.convolved(*given), definition(*given))  # in double precision: no loop


@torch.no_grad()
def test_the_state_of_the_convolution_is_the_last_steps_however_few_came() -> None:
    torch.manual_seed(0)
    layer = CausalConvolution(5, 4)
    x = torch.randn(2, 6, 5)
    whole, last = layer(x, layer.fresh_state(2, x))
    assert torch.equal(last, x[:, 3:])
    state, parts = layer.fresh_state(2, x), []
    for start, stop in ((0, 1), (1, 3), (3, 6)):
        part, state = layer(x[:, start:stop], state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)
    assert torch.equal(state, last)


def test_heads_are_normalised_joined_and_gated() -> None:
    def definition(h: Tensor, scale: Tensor, skip: Tensor, u: Tensor, gate: Tensor) -> Tensor:
        deviation = h.var(dim=-1, correction=0, keepdim=True) + 1e-5
        normal = (h - h.mean(dim=-1, keepdim=True)) / deviation.sqrt()
        return (normal.flatten(-2) * scale + skip * u) * gate * torch.sigmoid(gate)

    def form(*given: Tensor) -> Tensor:
        return fused.gated(*given, 1e-5)

    # 2 * 150 steps: more than are summed at a time.
    steps = drawn(2, 150, 3, 4), drawn(12, seed=1), drawn(12, seed=2), drawn(2, 150, 12, seed=3)
    assert_same(form, definition, *steps, drawn(2, 150, 12, seed=4))
    torch.testing.assert_close(form(*steps, steps[3]), definition(*steps, steps[3]))


def test_the_bell_gate_is_gelu_of_one_half_times_the_other() -> None:
    def definition(x: Tensor) -> Tensor:
        gate, value = x.chunk(2, dim=-1)
        return F.gelu(gate) * value

    wide = drawn(3, 5, 34) * torch.linspace(0.01, 4.0, 34, dtype=torch.float64)  # into both tails
    assert_same(fused.bell_gated, definition, wide)
    by_hand = fused.bell_gated(torch.tensor([[1.0, 0.0, -1.0, 2.0, 7.0, 1.0]]))
    torch.testing.assert_close(by_hand, torch.tensor([[2 * 0.8413447, 0.0, -0.1586553]]))


def test_what_is_no_number_passes_the_bell_gate_and_large_ones_stay_finite() -> None:
    x = torch.tensor([[float("nan"), 300.0, -300.0, 1.0, 1.0, 1.0]], requires_grad=True)
    out = fused.bell_gated(x)
    assert torch.isnan(out[0, 0])
    torch.testing.assert_close(out[0, 1:], torch.tensor([300.0, 0.0]))
    out[0, 1:].sum().backward()
    assert x.grad is not None
    assert x.grad[0, [1, 2, 4, 5]].isfinite().all()
