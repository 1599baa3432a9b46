"""Layers of complex numbers: linear map, convolution, normalisation and activations.

Weights are kept as real and imaginary parts, which every optimiser and file format understands; gradients are PyTorch's
complex autograd. Letters: any leading dimensions, then X numbers in and Y numbers out; F filters, S bins.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_FAR = 15.0  # |Re| beyond which tanh is its sign to the last bit of float32, and cosh would overflow soon after


def complex_tanh(z: Tensor) -> Tensor:
    """Tanh of a complex number, with the real part kept within reach of floating point.

    tanh(a + ib) = (sinh 2a + i sin 2b) / (cosh 2a + cos 2b). Poles lie at a = 0, b = pi/2 + k pi; the denominator is
    kept above 1e-4, so that a number close to a pole stays finite.
    """
    twice_a = 2.0 * z.real.clamp(-_FAR, _FAR)
    twice_b = 2.0 * z.imag
    below = (torch.cosh(twice_a) + torch.cos(twice_b)).clamp_min(1e-4)
    return torch.complex(torch.sinh(twice_a) / below, torch.sin(twice_b) / below)


def complex_sigmoid(z: Tensor) -> Tensor:
    """(1 + tanh(z / 2)) / 2, the logistic function of a complex number."""
    return 0.5 * (1.0 + complex_tanh(0.5 * z))


def complex_leaky_relu(z: Tensor, slope: float = 0.01) -> Tensor:
    """Leaky ReLU of real and imaginary part, each by itself."""
    return torch.complex(F.leaky_relu(z.real, slope), F.leaky_relu(z.imag, slope))


ACTIVATIONS = {"tanh": complex_tanh, "sigmoid": complex_sigmoid, "leaky_relu": complex_leaky_relu}
"""Activations by name."""


def _weights(*shape: int, fan_in: int) -> tuple[nn.Parameter, nn.Parameter]:
    """Real and imaginary parts, Gaussian; the variance of the modulus is 1 / fan_in."""
    deviation = (0.5 / fan_in) ** 0.5
    return nn.Parameter(torch.randn(shape) * deviation), nn.Parameter(torch.randn(shape) * deviation)


class ComplexLinear(nn.Module):
    """y = W x + b over the last dimension."""

    def __init__(self, numbers_in: int, numbers_out: int) -> None:
        super().__init__()
        self.weight_real, self.weight_imaginary = _weights(numbers_out, numbers_in, fan_in=numbers_in)
        self.bias_real = nn.Parameter(torch.zeros(numbers_out))
        self.bias_imaginary = nn.Parameter(torch.zeros(numbers_out))

    def forward(self, z: Tensor) -> Tensor:
        weight = torch.complex(self.weight_real, self.weight_imaginary)
        return z @ weight.T + torch.complex(self.bias_real, self.bias_imaginary)


class ComplexConvolution(nn.Module):
    """Filters with bias over the bins of a band: (..., S) in, (..., F, positions) out.

    positions = (S - kernel) // stride + 1; kernel and stride equal to S make it a linear map of the whole band.
    """

    def __init__(self, filters: int, kernel: int, *, stride: int = 1, activation: str = "tanh") -> None:
        super().__init__()
        self.weight_real, self.weight_imaginary = _weights(filters, kernel, fan_in=kernel)
        self.bias_real = nn.Parameter(torch.zeros(filters))
        self.bias_imaginary = nn.Parameter(torch.zeros(filters))
        self.kernel, self.stride = kernel, stride
        self._activate = ACTIVATIONS[activation]

    def forward(self, z: Tensor) -> Tensor:
        places = z.unfold(-1, self.kernel, self.stride)
        weight = torch.complex(self.weight_real, self.weight_imaginary)
        bias = torch.complex(self.bias_real, self.bias_imaginary)
        return self._activate(torch.einsum("...ps,fs->...fp", places, weight) + bias[:, None])


class ComplexNorm(nn.Module):
    """Numbers of a token with mean 0 and mean squared modulus 1, then a real scale and a complex shift of each."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(numbers))
        self.shift_real = nn.Parameter(torch.zeros(numbers))
        self.shift_imaginary = nn.Parameter(torch.zeros(numbers))

    def forward(self, z: Tensor) -> Tensor:
        centred = z - z.mean(dim=-1, keepdim=True)
        power = (centred.real.square() + centred.imag.square()).mean(dim=-1, keepdim=True)
        scaled: Tensor = centred / torch.sqrt(power + 1e-5) * self.scale
        return scaled + torch.complex(self.shift_real, self.shift_imaginary)


class ComplexDropout(nn.Module):
    """Drops whole complex numbers, not their parts."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._dropout = nn.Dropout(share)

    def forward(self, z: Tensor) -> Tensor:
        kept: Tensor = self._dropout(torch.ones_like(z.real))
        return z * kept
