"""Published weights of each variant (timm's repositories on the Hugging Face hub); the first is the default."""

from __future__ import annotations

from typing import Final

from triptych.models.pretrained import IMAGENET_MEAN, IMAGENET_STD, INCEPTION_MEAN, INCEPTION_STD, PretrainedWeights

_IN21K_CLASSES = 21_843


def _weights(
    tag: str, size: int, crop_pct: float = 0.875, *, test_size: int = 0, half: bool = False, num_classes: int = 1000
) -> PretrainedWeights:
    """`half`: images were normalised with mean and deviation 0.5 instead of ImageNet's own."""
    return PretrainedWeights(
        tag=tag,
        size=size,
        test_size=test_size,
        mean=INCEPTION_MEAN if half else IMAGENET_MEAN,
        std=INCEPTION_STD if half else IMAGENET_STD,
        crop_pct=crop_pct,
        num_classes=num_classes,
    )


def _tensorflow_v1(size: int, crop_pct: float, tags: str) -> tuple[PretrainedWeights, ...]:
    """NoisyStudent, AdvProp (normalised with 0.5), RandAugment, AutoAugment and plain trainings of one variant."""
    return tuple(_weights(tag, size, crop_pct, half=tag.startswith("ap_")) for tag in tags.split())


def _tensorflow_v2(size: int, test_size: int, tags: str) -> tuple[PretrainedWeights, ...]:
    return tuple(
        _weights(tag, size, 1.0, test_size=test_size, half=True, num_classes=_IN21K_CLASSES if tag == "in21k" else 1000)
        for tag in tags.split()
    )


PUBLISHED: Final[dict[str, tuple[PretrainedWeights, ...]]] = {
    "efficientnet_b0": (
        _weights("ra_in1k", 224),
        _weights("ra4_e3600_r224_in1k", 224, 0.9, test_size=256, half=True),
    ),
    "efficientnet_b1": (
        _weights("ra4_e3600_r240_in1k", 240, 0.9, test_size=288, half=True),
        _weights("ft_in1k", 224, test_size=256),
    ),
    "efficientnet_b2": (_weights("ra_in1k", 256, test_size=288),),
    "efficientnet_b3": (_weights("ra2_in1k", 288, test_size=320),),
    "efficientnet_b4": (_weights("ra2_in1k", 320, test_size=384),),
    "efficientnet_b5": (
        _weights("sw_in12k_ft_in1k", 448, 1.0),
        _weights("sw_in12k", 416, 0.95, num_classes=11_821),
    ),
    "efficientnet_b6": (_weights("", 528, 0.942),),
    "efficientnet_b7": (_weights("", 600, 0.949),),
    "efficientnetv2_s": (_weights("", 288, 1.0, test_size=384),),
    "efficientnetv2_m": (_weights("", 320, 1.0, test_size=416),),
    "efficientnetv2_l": (_weights("", 384, 1.0, test_size=480),),
    "efficientnetv2_xl": (_weights("", 384, 1.0, test_size=512),),
    "tf_efficientnet_b0": _tensorflow_v1(224, 0.875, "ns_jft_in1k ap_in1k aa_in1k in1k"),
    "tf_efficientnet_b1": _tensorflow_v1(240, 0.882, "ns_jft_in1k ap_in1k aa_in1k in1k"),
    "tf_efficientnet_b2": _tensorflow_v1(260, 0.890, "ns_jft_in1k ap_in1k aa_in1k in1k"),
    "tf_efficientnet_b3": _tensorflow_v1(300, 0.904, "ns_jft_in1k ap_in1k aa_in1k in1k"),
    "tf_efficientnet_b4": _tensorflow_v1(380, 0.922, "ns_jft_in1k ap_in1k aa_in1k in1k"),
    "tf_efficientnet_b5": _tensorflow_v1(456, 0.934, "ns_jft_in1k ap_in1k ra_in1k aa_in1k in1k"),
    "tf_efficientnet_b6": _tensorflow_v1(528, 0.942, "ns_jft_in1k ap_in1k aa_in1k"),
    "tf_efficientnet_b7": _tensorflow_v1(600, 0.949, "ns_jft_in1k ap_in1k ra_in1k aa_in1k"),
    "tf_efficientnetv2_s": _tensorflow_v2(300, 384, "in21k_ft_in1k in1k in21k"),
    "tf_efficientnetv2_m": _tensorflow_v2(384, 480, "in21k_ft_in1k in1k in21k"),
    "tf_efficientnetv2_l": _tensorflow_v2(384, 480, "in21k_ft_in1k in1k in21k"),
    "tf_efficientnetv2_xl": _tensorflow_v2(384, 512, "in21k_ft_in1k in21k"),
    "tf_efficientnetv2_b0": (_weights("in1k", 192, test_size=224),),
    "tf_efficientnetv2_b1": (_weights("in1k", 192, 0.882, test_size=240),),
    "tf_efficientnetv2_b2": (_weights("in1k", 208, 0.890, test_size=260),),
    "tf_efficientnetv2_b3": (
        _weights("in21k_ft_in1k", 240, 0.9, test_size=300, half=True),
        _weights("in1k", 240, 0.904, test_size=300),
        _weights("in21k", 240, 0.904, test_size=300, half=True, num_classes=_IN21K_CLASSES),
    ),
}
