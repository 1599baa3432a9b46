from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from triptych.models import create_model
from triptych.models.efficientnet.initialise import initialise


def test_convolutions_scale_by_fan_out_divided_by_groups() -> None:
    full, depthwise = nn.Conv2d(64, 256, 3), nn.Conv2d(512, 512, 5, groups=512)
    initialise(nn.Sequential(full, depthwise), torch.Generator().manual_seed(1))
    assert full.weight.std().item() == pytest.approx(math.sqrt(2 / (9 * 256)), rel=0.02)
    assert depthwise.weight.std().item() == pytest.approx(math.sqrt(2 / 25), rel=0.03)
    assert full.bias is not None
    assert not full.bias.any()


def test_linear_is_uniform_within_the_root_of_its_outputs() -> None:
    layer = nn.Linear(300, 400)
    initialise(layer, torch.Generator().manual_seed(1))
    assert layer.weight.abs().max().item() == pytest.approx(1 / 20, rel=1e-3)
    assert layer.weight.std().item() == pytest.approx(1 / 20 / math.sqrt(3), rel=0.02)
    assert not layer.bias.any()


def test_the_seed_alone_decides_the_first_weights() -> None:
    options = {"width": 0.25, "depth": 0.1, "num_classes": 3}
    torch.manual_seed(1)
    first = create_model("efficientnet_b0", seed=5, **options).state_dict()
    torch.manual_seed(2)
    second = create_model("efficientnet_b0", seed=5, **options).state_dict()
    other = create_model("efficientnet_b0", seed=6, **options).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["conv_stem.weight"], other["conv_stem.weight"])
