"""Networks, created by name with timm's conventions: `create_model("efficientnet_b0", in_chans=1, num_classes=3)`."""

from functools import partial

from triptych.models.adaptation import adapt_input_conv
from triptych.models.config import Config, build_network
from triptych.models.efficientnet import VARIANTS, build_efficientnet, to_timm_names, to_torchvision_names
from triptych.models.efficientnet.published import PUBLISHED
from triptych.models.registry import create_model, list_models, list_pretrained, register_model
from triptych.models.weights import WeightsReport, load_weights

__all__ = [
    "Config",
    "WeightsReport",
    "adapt_input_conv",
    "build_network",
    "create_model",
    "list_models",
    "list_pretrained",
    "load_weights",
    "register_model",
    "to_timm_names",
    "to_torchvision_names",
]

for _name, _variant in VARIANTS.items():
    register_model(partial(build_efficientnet, _variant), name=_name, published=PUBLISHED[_name], rename=to_timm_names)
