"""EfficientNet V1 (Tan & Le 2019, arXiv 1905.11946) and V2 (Tan & Le 2021, arXiv 2104.00298), with timm's names."""

from triptych.models.efficientnet.build import build_efficientnet
from triptych.models.efficientnet.features import EfficientNetFeatures
from triptych.models.efficientnet.network import EfficientNet
from triptych.models.efficientnet.torchvision_names import to_timm_names, to_torchvision_names
from triptych.models.efficientnet.variants import VARIANTS

__all__ = [
    "VARIANTS",
    "EfficientNet",
    "EfficientNetFeatures",
    "build_efficientnet",
    "to_timm_names",
    "to_torchvision_names",
]
