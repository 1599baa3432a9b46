from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from triptych.domain.errors import RecipeError
from triptych.models import create_model, list_models, list_pretrained, register_model
from triptych.models.pretrained import PretrainedWeights


def message_of(*arguments: object, **options: object) -> str:
    with pytest.raises(RecipeError) as caught:
        create_model(*arguments, **options)
    return str(caught.value)


def test_models_are_listed_by_pattern() -> None:
    assert list_models("efficientnet_b?") == [f"efficientnet_b{size}" for size in range(8)]
    assert list_models("tf_efficientnetv2_*") == [
        f"tf_efficientnetv2_{size}" for size in ["b0", "b1", "b2", "b3", "l", "m", "s", "xl"]
    ]
    assert list_models("nothing*") == []
    assert len(list_models("*efficientnet*")) == 28


def test_only_names_with_published_weights_are_listed_when_asked() -> None:
    names = list_models(pretrained=True)
    assert "efficientnet_b5" in names
    assert "efficientnet_b6" not in names
    assert list_pretrained("efficientnet_b1.*") == ["efficientnet_b1.ft_in1k", "efficientnet_b1.ra4_e3600_r240_in1k"]


def test_an_unknown_name_lists_close_ones() -> None:
    assert message_of("eficientnet_b0") == (
        "Unknown model 'eficientnet_b0'. Close names: efficientnet_b0, efficientnet_b7, efficientnet_b6, "
        "efficientnet_b5, efficientnet_b4."
    )


def test_a_name_like_no_other_lists_all() -> None:
    assert message_of("zzz") == f"Unknown model 'zzz'. Known names: {', '.join(list_models())}."


def test_an_unknown_tag_lists_the_known_ones() -> None:
    assert message_of("efficientnet_b0.jft") == (
        "efficientnet_b0 has no published weights 'jft'. Its tags: ra_in1k, ra4_e3600_r224_in1k."
    )
    assert message_of("efficientnet_b6.jft") == "efficientnet_b6 has no published weights 'jft'. Its tags: none."


def test_an_unknown_option_lists_the_known_ones() -> None:
    assert message_of("efficientnet_b0", widht=0.5) == (
        "efficientnet_b0 has no option 'widht'. Did you mean 'width'? Its options: bn_eps, bn_momentum, depth, "
        "drop_path_rate, drop_rate, features_only, global_pool, in_chans, num_classes, out_indices, padding, seed, "
        "width."
    )


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("width", 0.0, "width must be above 0, was 0.0."),
        ("depth", -1.0, "depth must be above 0, was -1.0."),
        ("in_chans", 0, "in_chans must be above 0, was 0."),
        ("width", float("nan"), "width must be above 0, was nan."),
        ("drop_rate", 1.0, "drop_rate must be at least 0 and below 1, was 1.0."),
        ("drop_path_rate", -0.1, "drop_path_rate must be at least 0 and below 1, was -0.1."),
        ("padding", "valid", "Unknown padding 'valid'. Choose one of 'symmetric', 'same'."),
    ],
)
def test_values_out_of_range_are_refused(option: str, value: object, message: str) -> None:
    assert message_of("efficientnet_b0", **{option: value}) == message


def test_networks_without_published_weights_say_where_some_are() -> None:
    assert message_of("efficientnet_b6", pretrained=True) == (
        "efficientnet_b6 has no published weights. The same network with weights: tf_efficientnet_b6."
    )


def test_published_weights_need_the_published_size() -> None:
    assert message_of("efficientnet_b0", pretrained=True, width=0.5) == (
        "Published weights fit efficientnet_b0 only at width 1, was 0.5. "
        "Leave width out, or set pretrained to false."
    )  # fmt: skip


def test_two_sources_of_weights_are_refused(tmp_path: Path) -> None:
    assert message_of("efficientnet_b0", pretrained=True, checkpoint_path=tmp_path / "w.safetensors") == (
        "pretrained and checkpoint_path name two sources of weights. Give only one of them."
    )


def test_networks_carry_the_facts_of_their_weights() -> None:
    with torch.device("meta"):
        network = create_model("efficientnet_b0")
        advprop = create_model("tf_efficientnet_b3.ap_in1k")
        features = create_model("efficientnet_b0", features_only=True)
    assert network.default_cfg is network.pretrained_cfg
    assert network.pretrained_cfg == {
        "architecture": "efficientnet_b0",
        "tag": "ra_in1k",
        "hf_hub_id": "timm/efficientnet_b0.ra_in1k",
        "hf_hub_filename": "model.safetensors",
        "num_classes": 1000,
        "input_size": (3, 224, 224),
        "test_input_size": (3, 224, 224),
        "pool_size": (7, 7),
        "crop_pct": 0.875,
        "interpolation": "bicubic",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "first_conv": "conv_stem",
        "classifier": "classifier",
    }
    assert advprop.pretrained_cfg["hf_hub_id"] == "timm/tf_efficientnet_b3.ap_in1k"
    assert advprop.pretrained_cfg["mean"] == (0.5, 0.5, 0.5)
    assert advprop.pretrained_cfg["input_size"] == (3, 300, 300)
    assert "classifier" not in features.pretrained_cfg


@pytest.mark.usefixtures("own_models")
def test_ones_own_network_can_be_registered() -> None:
    @register_model
    def one_convolution(*, in_chans: int, num_classes: int, **_: object) -> nn.Module:
        return nn.Conv2d(in_chans, num_classes, 1)

    network = create_model("one_convolution", in_chans=2, num_classes=4, anything="goes")
    assert network.weight.shape == (4, 2, 1, 1)
    assert network.pretrained_cfg["hf_hub_id"] == ""
    assert "one_convolution" in list_models("one*")
    with pytest.raises(RecipeError) as caught:
        register_model(one_convolution)
    assert str(caught.value) == "A model named 'one_convolution' is registered already. Choose another name."


@pytest.mark.usefixtures("own_models")
def test_a_registered_name_may_bring_published_weights() -> None:
    register_model(lambda **_: nn.Identity(), name="nothing", published=(PretrainedWeights(tag="none_in1k", size=64),))
    assert create_model("nothing").pretrained_cfg["input_size"] == (3, 64, 64)
    assert list_pretrained("nothing*") == ["nothing.none_in1k"]
