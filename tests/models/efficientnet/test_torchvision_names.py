"""torchvision's layout is rebuilt here from plain sequences: names, shapes and answers must agree."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from triptych.models import create_model, to_timm_names, to_torchvision_names


def unit(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, *, act: bool = True
) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), *([nn.SiLU()] if act else []))


class Gate(nn.Module):
    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeeze, 1), nn.Conv2d(squeeze, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.fc2(nn.functional.silu(self.fc1(x.mean((2, 3), keepdim=True)))))


class Block(nn.Module):
    def __init__(self, kind: str, inputs: int, outputs: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        wide = inputs * expand
        if kind == "mbconv":
            layers = [unit(inputs, wide, 1)] if expand > 1 else []
            layers += [
                unit(wide, wide, kernel, stride, wide),
                Gate(wide, inputs // 4),
                unit(wide, outputs, 1, act=False),
            ]
        elif expand > 1:
            layers = [unit(inputs, wide, kernel, stride), unit(wide, outputs, 1, act=False)]
        else:
            layers = [unit(inputs, outputs, kernel, stride)]
        self.block = nn.Sequential(*layers)
        self.has_skip = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x) if self.has_skip else self.block(x)


def torchvision_network(stem: int, head: int, stages: list[tuple], classes: int) -> nn.Sequential:
    layers: list[nn.Module] = [unit(3, stem, 3, 2)]
    inputs = stem
    for kind, repeats, kernel, stride, expand, outputs in stages:
        blocks = []
        for index in range(repeats):
            blocks.append(Block(kind, inputs, outputs, kernel, stride if index == 0 else 1, expand))
            inputs = outputs
        layers.append(nn.Sequential(*blocks))
    layers.append(unit(inputs, head, 1))
    parts = {
        "features": nn.Sequential(*layers),
        "avgpool": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "classifier": nn.Sequential(nn.Dropout(0.2), nn.Linear(head, classes)),
    }
    return nn.Sequential(OrderedDict(parts))


B0 = [
    ("mbconv", 1, 3, 1, 1, 16),
    ("mbconv", 2, 3, 2, 6, 24),
    ("mbconv", 2, 5, 2, 6, 40),
    ("mbconv", 3, 3, 2, 6, 80),
    ("mbconv", 3, 5, 1, 6, 112),
    ("mbconv", 4, 5, 2, 6, 192),
    ("mbconv", 1, 3, 1, 6, 320),
]
V2_S = [
    ("fused", 2, 3, 1, 1, 24),
    ("fused", 4, 3, 2, 4, 48),
    ("fused", 4, 3, 2, 4, 64),
    ("mbconv", 6, 3, 2, 4, 128),
    ("mbconv", 9, 3, 1, 6, 160),
    ("mbconv", 15, 3, 2, 6, 256),
]
NETWORKS = {"efficientnet_b0": (32, 1280, B0), "efficientnetv2_s": (24, 1280, V2_S)}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_name_and_shape_has_its_counterpart_both_ways(name: str) -> None:
    with torch.device("meta"):
        ours = {key: tensor.shape for key, tensor in create_model(name).state_dict().items()}
        stem, head, stages = NETWORKS[name]
        theirs = {
            key: tensor.shape for key, tensor in torchvision_network(stem, head, stages, 1000).state_dict().items()
        }
    there, back = to_torchvision_names(ours), to_timm_names(theirs)
    assert set(there) == set(ours)
    assert set(there.values()) == set(theirs)
    assert back == {theirs_name: our_name for our_name, theirs_name in there.items()}
    assert all(ours[our_name] == theirs[theirs_name] for our_name, theirs_name in there.items())


def test_published_names_of_torchvision() -> None:
    with torch.device("meta"):
        names = to_torchvision_names(create_model("efficientnet_b0").state_dict())
    assert len(names) == 360
    assert names["conv_stem.weight"] == "features.0.0.weight"
    assert names["blocks.0.0.conv_dw.weight"] == "features.1.0.block.0.0.weight"
    assert names["blocks.0.0.se.conv_reduce.bias"] == "features.1.0.block.1.fc1.bias"
    assert names["blocks.5.3.bn3.running_var"] == "features.6.3.block.3.1.running_var"
    assert names["conv_head.weight"] == "features.8.0.weight"
    assert names["classifier.bias"] == "classifier.1.bias"


def test_names_that_are_ours_already_are_left_alone() -> None:
    with torch.device("meta"):
        ours = create_model("efficientnet_b0").state_dict()
    assert to_timm_names(ours) == {}
    assert to_timm_names(["conv_stem.weight", "something.else"]) == {}
    assert to_torchvision_names(["something.else"]) == {}


def test_a_torchvision_file_loads_and_answers_as_torchvision_does(
    filled: Callable[[nn.Module], nn.Module], tmp_path: Path
) -> None:
    stages = [(kind, -(-repeats // 2), k, s, e, outputs) for kind, repeats, k, s, e, outputs in B0]
    theirs = filled(torchvision_network(32, 1280, stages, 5))
    save_file(theirs.state_dict(), tmp_path / "torchvision.safetensors")
    ours = create_model(
        "efficientnet_b0", depth=0.5, num_classes=5, checkpoint_path=tmp_path / "torchvision.safetensors"
    ).eval()
    picture = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = theirs(picture)
        assert expected.abs().max() > 0.01
        torch.testing.assert_close(ours(picture), expected, rtol=1e-4, atol=1e-5)
    assert ours.weights_report.fresh == ()
