from __future__ import annotations

import pytest
import torch
from torch import nn

from triptych.models.googlenet.layers import Convolution, HalvingPool, LocalResponseNorm


def test_response_normalisation_by_hand() -> None:
    # 100 in one of six channels: it and its two neighbours on each side see 100^2 / 5 * 1e-4 = 0.2.
    x = torch.zeros(1, 6, 1, 1)
    x[0, 0], x[0, 5] = 100.0, 1.0
    y = LocalResponseNorm()(x).flatten().tolist()
    assert y[0] == pytest.approx(100 / 1.2**0.75, rel=1e-6)
    assert y[5] == pytest.approx(1 / 1.00002**0.75, rel=1e-6)
    x[0, 2] = 1.0
    assert LocalResponseNorm()(x)[0, 2].item() == pytest.approx(1 / 1.20002**0.75, rel=1e-6)


def test_response_normalisation_is_torchs() -> None:
    x = 50 * torch.randn(2, 7, 3, 4, generator=torch.Generator().manual_seed(0))
    expected = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)(x)
    assert (expected / x).min() < 0.97  # otherwise nothing is divided
    torch.testing.assert_close(LocalResponseNorm()(x), expected)


def test_convolution_has_a_bias_or_a_normalisation() -> None:
    normalised = Convolution(3, 8, 3, batch_norm=True)
    assert (normalised.conv.bias, normalised.bn.eps, normalised.bn.momentum) == (None, 1e-3, 0.1)
    plain = Convolution(3, 8, 3, batch_norm=False)
    assert set(plain.state_dict()) == {"conv.weight", "conv.bias"}
    assert Convolution(3, 8, 7, stride=2, batch_norm=True)(torch.zeros(2, 3, 9, 16)).shape == (2, 8, 5, 8)


@pytest.mark.parametrize(("kernel", "side", "pooled"), [(3, 112, 56), (3, 7, 3), (3, 2, 1), (3, 1, 1), (2, 7, 4)])
def test_halving_rounds_up_and_never_loses_the_last_pixel(kernel: int, side: int, pooled: int) -> None:
    assert HalvingPool(kernel)(torch.zeros(1, 1, side, 5)).shape[2] == pooled
    x = torch.arange(float(side)).reshape(1, 1, side, 1)
    assert HalvingPool(kernel)(x).max() == side - 1
