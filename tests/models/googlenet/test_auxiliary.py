from __future__ import annotations

from typing import Literal

import pytest
import torch
import torch.nn.functional as F

from triptych.models.googlenet.auxiliary import AuxiliaryClassifier


def head(pool: Literal["paper", "adaptive"]) -> AuxiliaryClassifier:
    torch.manual_seed(0)
    return AuxiliaryClassifier(4, channels=8, hidden=16, num_classes=3, batch_norm=False, pool=pool)


def logits_by_hand(network: AuxiliaryClassifier, pooled: torch.Tensor) -> torch.Tensor:
    x = F.relu(network.conv.conv(pooled)).flatten(1)
    return network.fc2(F.relu(network.fc1(x)))


def test_a_map_of_14_pixels_is_pooled_as_in_the_paper() -> None:
    map_ = torch.randn(2, 4, 14, 14, generator=torch.Generator().manual_seed(1))
    paper, adaptive = head("paper").eval(), head("adaptive").eval()
    fives = torch.stack(
        [map_[:, :, 3 * i : 3 * i + 5, 3 * j : 3 * j + 5].mean((2, 3)) for i in range(4) for j in range(4)]
    )
    expected = logits_by_hand(paper, fives.permute(1, 2, 0).reshape(2, 4, 4, 4))
    torch.testing.assert_close(paper(map_), expected)
    torch.testing.assert_close(adaptive(map_), logits_by_hand(adaptive, F.adaptive_avg_pool2d(map_, 4)))
    assert not torch.allclose(paper(map_), adaptive(map_))


@pytest.mark.parametrize("pool", ["paper", "adaptive"])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (4, 7), (14, 28), (13, 40), (38, 38)])
def test_maps_of_any_size_are_read(pool: Literal["paper", "adaptive"], size: tuple[int, int]) -> None:
    assert head(pool).eval()(torch.randn(2, 4, *size)).shape == (2, 3)


def test_a_small_map_keeps_all_its_pixels_in_the_papers_form_too() -> None:
    map_ = torch.randn(1, 4, 7, 7, generator=torch.Generator().manual_seed(1), requires_grad=True)
    head("paper").eval()(map_).sum().backward()
    assert (map_.grad != 0).all()


def test_dropout_acts_in_training_only() -> None:
    network, map_ = head("adaptive"), torch.ones(1, 4, 4, 4)
    torch.manual_seed(0)
    assert not torch.equal(network(map_), network(map_))
    network.eval()
    assert torch.equal(network(map_), network(map_))
