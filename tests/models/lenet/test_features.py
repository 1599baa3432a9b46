from __future__ import annotations

import pytest
import torch

from triptych.models import create_model


@pytest.mark.parametrize("name", ["lenet5", "lenet5_relu"])
def test_three_maps_of_strides_1_2_and_4(name: str) -> None:
    network = create_model(name, features_only=True, in_chans=1)
    assert network.feature_info.channels() == [6, 16, 16]
    assert network.feature_info.reduction() == [1, 2, 4]
    assert network.feature_info.module_name() == ["conv1", "conv2", "pool2"]
    maps = network(torch.zeros(2, 1, 32, 33))
    assert [tuple(map_.shape) for map_ in maps] == [(2, 6, 28, 29), (2, 16, 10, 11), (2, 16, 5, 6)]


def test_the_second_convolution_is_built_only_when_it_is_wanted() -> None:
    network = create_model("lenet5", features_only=True, in_chans=1, out_indices=(0,))
    assert {name.split(".")[0] for name in network.state_dict()} == {"conv1"}
    assert [tuple(map_.shape) for map_ in network(torch.zeros(2, 1, 32, 32))] == [(2, 6, 28, 28)]
    last = create_model("lenet5", features_only=True, in_chans=1, out_indices=(-1,))
    assert [tuple(map_.shape) for map_ in last(torch.zeros(2, 1, 32, 32))] == [(2, 16, 5, 5)]


def test_the_last_map_is_that_of_the_classifier() -> None:
    options = {"in_chans": 1, "seed": 3}
    picture = torch.randn(1, 1, 40, 27, generator=torch.Generator().manual_seed(0))
    classifier = create_model("lenet5_relu", num_classes=3, **options)
    extractor = create_model("lenet5_relu", features_only=True, **options)
    extractor.load_state_dict(classifier.state_dict(), strict=False)
    assert torch.equal(extractor(picture)[-1], classifier.forward_features(picture))
