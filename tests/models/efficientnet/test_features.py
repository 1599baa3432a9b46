from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from triptych.domain.errors import RecipeError
from triptych.models import create_model


def test_b0_gives_five_maps_from_stride_2_to_32() -> None:
    network = create_model("efficientnet_b0", features_only=True).eval()
    assert network.feature_info.channels() == [16, 24, 40, 112, 320]
    assert network.feature_info.reduction() == [2, 4, 8, 16, 32]
    assert network.feature_info.module_name() == ["blocks.0", "blocks.1", "blocks.2", "blocks.4", "blocks.6"]
    with torch.inference_mode():
        maps = network(torch.zeros(1, 3, 64, 96))
    assert [tuple(map_.shape) for map_ in maps] == [
        (1, 16, 32, 48),
        (1, 24, 16, 24),
        (1, 40, 8, 12),
        (1, 112, 4, 6),
        (1, 320, 2, 3),
    ]
    assert not hasattr(network, "conv_head")
    assert not hasattr(network, "classifier")


def test_v2_s_gives_its_stage_ends() -> None:
    with torch.device("meta"):
        info = create_model("tf_efficientnetv2_s", features_only=True).feature_info
    assert (info.channels(), info.reduction()) == ([24, 48, 64, 160, 256], [2, 4, 8, 16, 32])


def test_maps_are_those_inside_the_classifier(filled: Callable[[nn.Module], nn.Module]) -> None:
    options = {"width": 0.25, "depth": 0.5, "in_chans": 1}
    extractor = filled(create_model("efficientnet_b0", features_only=True, **options))
    classifier = filled(create_model("efficientnet_b0", num_classes=3, **options))
    picture = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    seen: list[torch.Tensor] = []
    for name in classifier.feature_info.module_name():
        classifier.get_submodule(name).register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    with torch.inference_mode():
        maps = extractor(picture)
        classifier(picture)
    assert len(maps) == len(seen) == 5
    assert all(torch.equal(map_, inner) for map_, inner in zip(maps, seen, strict=True))


def test_stages_behind_the_last_wanted_map_are_not_built() -> None:
    network = create_model("efficientnet_b0", features_only=True, out_indices=(1, 2), width=0.25)
    assert len(network.blocks) == 3
    assert [tuple(map_.shape[2:]) for map_ in network(torch.zeros(2, 3, 32, 32))] == [(8, 8), (4, 4)]


def test_an_index_that_does_not_exist_is_refused() -> None:
    with pytest.raises(
        RecipeError,
        match=r"^out_indices=\(5,\) does not fit a network of 5 feature maps\. "
        r"Choose indices from 0 to 4, or how many of the last maps from 1 to 5\.$",
    ):
        create_model("efficientnet_b0", features_only=True, out_indices=(5,))
