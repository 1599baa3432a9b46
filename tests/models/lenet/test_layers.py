from __future__ import annotations

import pytest
import torch
from torch import nn

from triptych.models.lenet.layers import Sizes, initialise, scaled_tanh


def test_scaled_tanh_by_hand() -> None:
    values = scaled_tanh(torch.tensor([0.0, 1.0, -1.0, 3.0]))
    assert values.tolist() == pytest.approx([0.0, 1.0, -1.0, 1.7159 * 0.9640276], abs=1e-4)


def test_sizes_are_the_papers_times_the_width() -> None:
    assert Sizes.of(1.0) == Sizes(conv1=6, conv2=16, fc1=120, fc2=84)
    assert Sizes.of(0.5) == Sizes(conv1=3, conv2=8, fc1=60, fc2=42)
    assert Sizes.of(0.01) == Sizes(conv1=1, conv2=1, fc1=1, fc2=1)


def test_first_weights_have_the_documented_size() -> None:
    layer = nn.Linear(400, 1000)
    initialise(layer, 2.0**0.5, torch.Generator().manual_seed(0))
    assert layer.weight.std().item() == pytest.approx((2 / 400) ** 0.5, rel=0.01)
    assert not layer.bias.any()
