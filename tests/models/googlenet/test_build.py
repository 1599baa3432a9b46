from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from triptych.domain.errors import RecipeError
from triptych.models import create_model


def count(name: str, **options: object) -> int:
    with torch.device("meta"):
        network = create_model(name, **options)
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_counts_are_the_published_ones() -> None:
    assert count("googlenet") == 6_624_904
    assert count("googlenet", aux_logits=True) == 13_004_888
    assert count("googlenet_bn") == 7_005_832
    assert count("googlenet_paper") == 6_998_552


def test_auxiliary_parameters_of_the_paper_follow_from_its_sizes() -> None:
    # A head: 1x1 convolution with bias, 4 * 4 * 128 -> 1024, 1024 -> 1000; they read 512 and 528 channels.
    heads = sum(channels * 128 + 128 + 2048 * 1024 + 1024 + 1024 * 1000 + 1000 for channels in (512, 528))
    assert count("googlenet_paper", aux_logits=True) == 6_998_552 + heads


def test_width_shrinks_all_channels() -> None:
    assert count("googlenet", width=0.25, in_chans=1, num_classes=3) < 6_624_904 / 12
    assert count("googlenet", width=2.0) > 3.5 * 6_624_904 - 4 * 1_025_000


def test_multiply_adds_are_torchvisions() -> None:
    total = 0

    def add(module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        total += module.weight[0].numel() * output[0].numel()

    with torch.device("meta"):
        network = create_model("googlenet").eval()
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.register_forward_hook(add)
        network(torch.zeros(1, 3, 224, 224))
    assert round(total / 1e9, 3) == 1.498


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"depth": 0.5},
            "googlenet has one depth only: depth must be 1, was 0.5. Leave depth out; width makes the network smaller.",
        ),
        ({"width": 0.0}, "width must be above 0, was 0.0."),
        ({"in_chans": 0}, "in_chans must be above 0, was 0."),
        ({"drop_rate": 1.0}, "drop_rate must be at least 0 and below 1, was 1.0."),
        (
            {"aux_logits": True, "num_classes": 0},
            "Auxiliary classifiers need classes, but num_classes is 0. Leave aux_logits out.",
        ),
        (
            {"aux_logits": True, "features_only": True},
            "Feature maps have no classifiers, auxiliary ones neither. Leave out features_only or aux_logits.",
        ),
        (
            {"padding": "same"},
            "googlenet has no option 'padding'. Its options: aux_logits, depth, drop_path_rate, drop_rate, "
            "features_only, global_pool, in_chans, num_classes, out_indices, seed, width.",
        ),
        ({"pretrained": True}, "googlenet has no published weights. Give a file by checkpoint_path."),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(options: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        create_model("googlenet", **options)
    assert str(caught.value) == message
