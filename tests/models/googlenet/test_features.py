from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from triptych.domain.errors import RecipeError
from triptych.models import create_model
from triptych.models.googlenet import FORMS


@pytest.mark.parametrize("name", FORMS)
def test_five_maps_from_stride_2_to_32(name: str) -> None:
    network = create_model(name, features_only=True).eval()
    assert network.feature_info.channels() == [64, 192, 480, 832, 1024]
    assert network.feature_info.reduction() == [2, 4, 8, 16, 32]
    assert network.feature_info.module_name() == ["conv1", "conv3", "inception3b", "inception4e", "inception5b"]
    with torch.inference_mode():
        maps = network(torch.zeros(1, 3, 64, 128))
    assert [tuple(map_.shape) for map_ in maps] == [
        (1, 64, 32, 64),
        (1, 192, 16, 32),
        (1, 480, 8, 16),
        (1, 832, 4, 8),
        (1, 1024, 2, 4),
    ]
    assert not hasattr(network, "fc")


@pytest.mark.parametrize("name", FORMS)
def test_maps_are_those_inside_the_classifier(name: str, filled: Callable[[nn.Module], nn.Module]) -> None:
    options = {"width": 0.125, "in_chans": 1}
    extractor = filled(create_model(name, features_only=True, **options))
    classifier = filled(create_model(name, num_classes=3, **options))
    picture = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    seen: list[torch.Tensor] = []
    for module in classifier.feature_info.module_name():
        classifier.get_submodule(module).register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    with torch.inference_mode():
        maps = extractor(picture)
        classifier(picture)
    assert len(maps) == len(seen) == 5
    assert all(torch.equal(map_, inner) for map_, inner in zip(maps, seen, strict=True))


def test_blocks_behind_the_last_wanted_map_are_not_built() -> None:
    network = create_model("googlenet", features_only=True, out_indices=(0, 2), width=0.125)
    assert not hasattr(network, "inception4a")
    assert [tuple(map_.shape[2:]) for map_ in network(torch.zeros(2, 3, 32, 32))] == [(16, 16), (4, 4)]


def test_an_index_that_does_not_exist_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"^out_indices=\(5,\) does not fit a network of 5 feature maps\."):
        create_model("googlenet", features_only=True, out_indices=(5,))
