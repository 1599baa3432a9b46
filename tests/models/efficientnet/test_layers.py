from __future__ import annotations

import pytest
import torch
from torch import nn

from triptych.models.efficientnet.layers import DropPath, LayerOptions, SqueezeExcite


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    layer = DropPath(0.25).train()
    out = layer(torch.ones(4000, 2, 3, 3))
    per_sample = out.flatten(1)
    assert (per_sample == per_sample[:, :1]).all()
    assert per_sample[:, 0].unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert (per_sample[:, 0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert out.mean().item() == pytest.approx(1.0, abs=0.04)


def test_drop_path_does_nothing_in_evaluation() -> None:
    image = torch.ones(8, 2, 3, 3)
    assert DropPath(0.9).eval()(image) is image


def test_drop_path_shows_its_rate() -> None:
    assert repr(DropPath(0.125)) == "DropPath(rate=0.1250)"


def test_squeeze_excite_by_hand() -> None:
    layer = SqueezeExcite(2, 1)
    with torch.no_grad():
        layer.conv_reduce.weight.copy_(torch.tensor([1.0, 2.0]).reshape(1, 2, 1, 1))
        layer.conv_reduce.bias.fill_(0.5)
        layer.conv_expand.weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
        layer.conv_expand.bias.copy_(torch.tensor([0.0, 1.0]))
    image = torch.tensor([[[[1.0, 3.0]], [[0.0, -1.0]]]])
    # Means 2 and -0.5; reduced 2 - 1 + 0.5 = 1.5; SiLU(1.5) = 1.5 / (1 + e^-1.5) = 1.226362.
    # Gates: sigmoid(1.226362) = 0.773181, sigmoid(1 - 1.226362) = 0.443650.
    out = layer(image)
    assert out.flatten().tolist() == pytest.approx([0.773181, 2.319543, 0.0, -0.443650], abs=1e-5)


def test_options_reach_every_layer() -> None:
    options = LayerOptions(padding="same", bn_eps=0.01, bn_momentum=0.2)
    norm = options.norm(4)
    assert (norm.eps, norm.momentum) == (0.01, 0.2)
    assert type(options.conv(4, 4, 3, stride=2)).__name__ == "Conv2dSame"
    assert type(options.conv(4, 4, 3)) is nn.Conv2d
    assert options.conv(4, 4, 5).padding == (2, 2)
    assert options.conv(4, 4, 5).bias is None
