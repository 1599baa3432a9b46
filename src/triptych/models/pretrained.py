"""What is known of published weights: where they lie and what images they were trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
INCEPTION_MEAN: Final = (0.5, 0.5, 0.5)
INCEPTION_STD: Final = (0.5, 0.5, 0.5)


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainedWeights:
    """One set of weights of one architecture.

    Attributes:
        tag: name of the training in timm's repositories; empty when no weights are published.
        size: height and width in pixels the weights were trained at.
        test_size: height and width they do best at.
        in_chans: image channels.
        mean, std: per channel, of pixel values in [0, 1].
        crop_pct: share of the image that is cropped before it is scaled.
        interpolation: how images were scaled.
        num_classes: classes of their classifier.
        pool_size: height and width of the map that is pooled at `size`; 0 means a 32nd of it.
        first_conv, classifier: names of the layers that see the image and give the logits.
        auxiliary: names of the parts that serve in training only; a file or a network may be without them.
    """

    tag: str = ""
    size: int = 224
    test_size: int = 0
    in_chans: int = 3
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    crop_pct: float = 0.875
    interpolation: str = "bicubic"
    num_classes: int = 1000
    pool_size: int = 0
    first_conv: str = "conv_stem"
    classifier: str = "classifier"
    auxiliary: tuple[str, ...] = ()

    def as_config(self, architecture: str) -> dict[str, Any]:
        """timm's `pretrained_cfg` of the weights of `architecture`."""
        test_size = self.test_size or self.size
        return {
            "architecture": architecture,
            "tag": self.tag,
            "hf_hub_id": f"timm/{architecture}.{self.tag}" if self.tag else "",
            "hf_hub_filename": "model.safetensors",
            "num_classes": self.num_classes,
            "input_size": (self.in_chans, self.size, self.size),
            "test_input_size": (self.in_chans, test_size, test_size),
            "pool_size": (self.pool_size or math.ceil(self.size / 32),) * 2,
            "crop_pct": self.crop_pct,
            "interpolation": self.interpolation,
            "mean": self.mean,
            "std": self.std,
            "first_conv": self.first_conv,
            "classifier": self.classifier,
        }
