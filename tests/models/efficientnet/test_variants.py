from __future__ import annotations

import pytest
import torch

from triptych.models import create_model
from triptych.models.efficientnet import VARIANTS

PARAMETERS = {
    "efficientnet_b0": 5_288_548,
    "efficientnet_b1": 7_794_184,
    "efficientnet_b2": 9_109_994,
    "efficientnet_b3": 12_233_232,
    "efficientnet_b4": 19_341_616,
    "efficientnet_b5": 30_389_784,
    "efficientnet_b6": 43_040_704,
    "efficientnet_b7": 66_347_960,
    "efficientnetv2_s": 21_458_488,
    "efficientnetv2_m": 54_139_356,
    "efficientnetv2_l": 118_515_272,
    "efficientnetv2_xl": 208_119_808,
    "tf_efficientnetv2_b0": 7_139_704,
    "tf_efficientnetv2_b1": 8_141_052,
    "tf_efficientnetv2_b2": 10_096_086,
    "tf_efficientnetv2_b3": 14_358_406,
}


def count(name: str, **options: object) -> int:
    with torch.device("meta"):
        network = create_model(name, **options)
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_parameter_count_is_the_published_one(name: str) -> None:
    assert count(name) == PARAMETERS.get(name, PARAMETERS.get(name.removeprefix("tf_")))


def test_width_and_depth_shrink_a_network_exactly() -> None:
    assert count("efficientnet_b0", width=0.5, depth=0.5, in_chans=1, num_classes=3) == 658_755
    assert count("efficientnet_b0", width=0.25, depth=0.1, in_chans=1, num_classes=3) == 124_431
    assert count("efficientnet_b0", width=1.1, depth=1.2) == PARAMETERS["efficientnet_b2"]


def test_tensorflow_variants_differ_in_padding_and_epsilon_only() -> None:
    for name, variant in VARIANTS.items():
        if name.startswith("tf_"):
            assert (variant.options.padding, variant.options.bn_eps, variant.options.bn_momentum) == ("same", 1e-3, 0.1)
        else:
            assert (variant.options.padding, variant.options.bn_eps, variant.options.bn_momentum) == (
                "symmetric",
                1e-5,
                0.1,
            )
            twin = VARIANTS[f"tf_{name}"]
            assert (twin.family, twin.width, twin.depth) == (variant.family, variant.width, variant.depth)


def test_names_of_the_state_dict_are_timms() -> None:
    with torch.device("meta"):
        names = list(create_model("efficientnet_b0", num_classes=3).state_dict())
    assert len(names) == 360
    assert names[:2] == ["conv_stem.weight", "bn1.weight"]
    assert names[-4:] == ["bn2.running_var", "bn2.num_batches_tracked", "classifier.weight", "classifier.bias"]
    assert {
        "blocks.0.0.conv_dw.weight",
        "blocks.0.0.se.conv_reduce.bias",
        "blocks.0.0.conv_pw.weight",
        "blocks.1.0.conv_pw.weight",
        "blocks.5.3.bn3.running_mean",
        "blocks.6.0.conv_pwl.weight",
        "conv_head.weight",
    } <= set(names)
