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
        mean, std: per channel, of pixel values in [0, 1].
        crop_pct: share of the image that is cropped before it is scaled.
        num_classes: classes of their classifier.
    """

    tag: str = ""
    size: int = 224
    test_size: int = 0
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    crop_pct: float = 0.875
    num_classes: int = 1000

    def as_config(self, architecture: str) -> dict[str, Any]:
        """timm's `pretrained_cfg` of the weights of `architecture`."""
        test_size = self.test_size or self.size
        return {
            "architecture": architecture,
            "tag": self.tag,
            "hf_hub_id": f"timm/{architecture}.{self.tag}" if self.tag else "",
            "hf_hub_filename": "model.safetensors",
            "num_classes": self.num_classes,
            "input_size": (3, self.size, self.size),
            "test_input_size": (3, test_size, test_size),
            "pool_size": (math.ceil(self.size / 32),) * 2,
            "crop_pct": self.crop_pct,
            "interpolation": "bicubic",
            "mean": self.mean,
            "std": self.std,
            "first_conv": "conv_stem",
            "classifier": "classifier",
        }
