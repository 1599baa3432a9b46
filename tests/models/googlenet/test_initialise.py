from __future__ import annotations

import pytest
import torch
from torch import nn

from triptych.models import create_model
from triptych.models.googlenet import FORMS


def test_first_weights_have_the_documented_size() -> None:
    network = create_model("googlenet_paper", num_classes=1000, aux_logits=True, seed=1)
    convolution = network.inception4b.branch2[1].conv  # 112 channels in, 3x3
    assert convolution.weight.std().item() == pytest.approx((2 / (112 * 9)) ** 0.5, rel=0.02)
    assert network.aux1.fc1.weight.std().item() == pytest.approx((2 / 2048) ** 0.5, rel=0.02)
    for last in (network.fc, network.aux1.fc2, network.aux2.fc2):
        assert last.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert all(not p.any() for name, p in network.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("name", FORMS)
def test_the_signal_reaches_the_end_at_its_size(name: str) -> None:
    network = create_model(name, num_classes=0, seed=2, width=0.5).train()
    images = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        map_ = network.forward_features(images)
    assert 0.1 < map_.std().item() < 10


def test_the_seed_decides_and_auxiliary_classifiers_change_nothing_else() -> None:
    options = {"num_classes": 3, "width": 0.125, "in_chans": 1}
    with_heads = create_model("googlenet", aux_logits=True, seed=5, **options).state_dict()
    torch.rand(3)
    again = create_model("googlenet", aux_logits=True, seed=5, **options).state_dict()
    assert all(torch.equal(with_heads[name], again[name]) for name in with_heads)
    without = create_model("googlenet", seed=5, **options).state_dict()
    assert {name for name in with_heads if name not in without} == {n for n in with_heads if n.startswith("aux")}
    assert all(torch.equal(with_heads[name], without[name]) for name in without)
    other = create_model("googlenet", seed=6, **options)
    assert not torch.equal(other.conv1.conv.weight, without["conv1.conv.weight"])


def test_created_auxiliary_classifiers_repeat_with_their_seed() -> None:
    network = create_model("googlenet", num_classes=3, width=0.125, in_chans=1).double()
    one, same, other = network.create_auxiliary(1), network.create_auxiliary(1), network.create_auxiliary(2)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one[0].fc1.weight, other[0].fc1.weight)
    assert isinstance(one, nn.ModuleList)
    assert one[0].fc1.weight.dtype == torch.float64
