import pytest
import torch

from triptych.models.catch.complex_layers import (
    ACTIVATIONS,
    ComplexConvolution,
    ComplexLinear,
    ComplexNorm,
    complex_leaky_relu,
    complex_sigmoid,
    complex_tanh,
)
from triptych.models.catch.complex_transformer import ComplexChannelTransformer


def _numbers(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def test_tanh_and_sigmoid_are_the_analytic_functions():
    z = _numbers(100)
    torch.testing.assert_close(complex_tanh(z), torch.tanh(z))
    torch.testing.assert_close(complex_sigmoid(z), 1 / (1 + torch.exp(-z)))


def test_activations_stay_finite_far_out_and_at_poles():
    z = torch.tensor([1e30 + 1j, -1e30 + 1j, 0.5j * torch.pi, 1j * torch.pi], dtype=torch.complex64)
    for activate in ACTIVATIONS.values():
        assert torch.isfinite(torch.view_as_real(activate(z))).all()


def test_leaky_relu_bends_both_parts():
    z = torch.tensor([-2.0 + 3.0j])
    torch.testing.assert_close(complex_leaky_relu(z), torch.tensor([-0.02 + 3.0j]))


def test_the_convolution_is_the_sum_over_its_kernel():
    layer = ComplexConvolution(1, 2, stride=2, activation="leaky_relu")
    with torch.no_grad():
        layer.weight_real.copy_(torch.tensor([[1.0, 0.0]]))
        layer.weight_imaginary.copy_(torch.tensor([[0.0, 1.0]]))
        layer.bias_real.fill_(10.0)
        layer.bias_imaginary.fill_(20.0)
    z = torch.tensor([1 + 1j, 2 + 2j, 3 + 3j, 4 + 4j])
    # 10 + 20i + z0 + i z1, then the same two bins on.
    assert layer(z).tolist() == [[9 + 23j, 9 + 27j]]


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_gradients_are_the_analytic_ones(activation):
    convolve = ComplexConvolution(2, 3, stride=2, activation=activation).double()
    linear, norm = ComplexLinear(4, 3).double(), ComplexNorm(3).double()
    z = _numbers(2, 5).requires_grad_()
    parameters = [*convolve.parameters(), *linear.parameters(), *norm.parameters()]

    def run(z, *_):
        return norm(linear(convolve(z).flatten(-2)))

    assert torch.autograd.gradcheck(run, (z, *parameters))


def test_the_norm_leaves_mean_zero_and_power_one():
    z = ComplexNorm(50).double()(_numbers(3, 50) * 7 + 2)
    torch.testing.assert_close(z.mean(-1), torch.zeros(3, dtype=torch.complex128))
    torch.testing.assert_close(z.abs().square().mean(-1), torch.ones(3, dtype=torch.float64), atol=1e-4, rtol=0)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize(("filters", "kernel", "stride"), [(1, 4, 4), (2, 3, 1), (2, 3, 2)])
def test_the_whole_transformer_passes_gradcheck(activation, filters, kernel, stride):
    transformer = ComplexChannelTransformer(
        numbers=8, embedding=2, layers=1, feed_forward=2, width=2, dropout=0.0, temperature=0.5, filters=filters,
        kernel=kernel, stride=stride, activation=activation, heads=2, heads_kv=1, head_size=1,
    ).double()  # fmt: skip
    bands = torch.randn(1, 2, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    mask = torch.tensor([[[1.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]], dtype=torch.float64)[None]

    def run(bands, *_):
        return transformer(bands, mask, with_loss=True)

    assert torch.autograd.gradcheck(run, (bands, *transformer.parameters()))
