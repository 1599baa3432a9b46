"""Class activation maps: where the maps of a convolutional layer speak for a class.

Grad-CAM weighs every channel of a layer by the mean gradient of the score (Selvaraju et al., "Grad-CAM: Visual
Explanations from Deep Networks via Gradient-based Localization", ICCV 2017, equations 1 and 2). LayerCAM weighs every
place of every channel by its own positive gradient (Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation
Maps for Localization", IEEE Transactions on Image Processing 30, 2021, equations 6 and 7), and so stays sharp in
early layers, where maps are large.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triptych.domain.errors import RecipeError
from triptych.inference.explain.margin import Margin
from triptych.models.feature_info import FeatureInfo
from triptych.models.multi_task import body_of

SMALLEST = {"grad_cam": 4, "layer_cam": 8}
"""Least side of the map that is looked at unless a layer is named: below it, heat is one blot."""


def class_activation(
    margin: Margin, image_1CHW: Tensor, kind: Literal["grad_cam", "layer_cam"], layer: str = ""
) -> tuple[Tensor, str]:
    """Heat of a class activation map, and the layer it was read from.

    Args:
        margin: what is explained.
        image_1CHW: one image in [0, 1].
        kind: which of the two.
        layer: name of a submodule; empty takes the deepest stage whose map is large enough to show where.

    Returns:
        Tensor of shape (height, width), values from 0; all 0 where nothing speaks for the class.

    Raises RecipeError for a network without feature maps, and for a layer it does not have.
    """
    layers = layers_of(margin.network)
    if layer and layer not in layers:
        raise RecipeError(f"The network has no layer {layer!r} to explain.", remedy=f"It has: {', '.join(layers)}.")
    asked = [layer] if layer else layers
    maps, gradients = _maps_and_gradients(margin, image_1CHW, asked)
    chosen = 0 if layer else _deepest(maps, SMALLEST[kind])
    value, slope = maps[chosen], gradients[chosen]
    weights = slope.mean(dim=(2, 3), keepdim=True) if kind == "grad_cam" else slope.clamp(min=0.0)
    heat = (weights * value).sum(dim=1, keepdim=True).clamp(min=0.0)
    large = F.interpolate(heat, size=image_1CHW.shape[2:], mode="bilinear", align_corners=False)
    return large[0, 0].detach(), asked[chosen]


def layers_of(network: nn.Module) -> list[str]:
    """Names of the stages whose maps can be looked at, from fine to coarse.

    Raises RecipeError for a network without feature maps.
    """
    info = getattr(body_of(network), "feature_info", None)
    if not isinstance(info, FeatureInfo):
        raise RecipeError(
            "The network has no feature maps, so there is no class activation to draw.",
            remedy="Choose integrated_gradients or occlusion: they explain every network.",
        )
    return [point.module for point in info.points]


def _maps_and_gradients(margin: Margin, image: Tensor, names: list[str]) -> tuple[list[Tensor], list[Tensor]]:
    held: dict[str, Tensor] = {}

    def keep(name: str, output: Tensor) -> Tensor:
        held[name] = output
        return output.clone()  # what comes after may work in place

    def hook(name: str) -> torch.utils.hooks.RemovableHandle:
        module = body_of(margin.network).get_submodule(name)
        return module.register_forward_hook(lambda _module, _inputs, output: keep(name, output))

    handles = [hook(name) for name in names]
    try:
        with torch.enable_grad():
            score = margin(image.detach().requires_grad_())
            gradients = torch.autograd.grad(score.sum(), [held[name] for name in names])
    finally:
        for handle in handles:
            handle.remove()
    return [held[name].detach() for name in names], list(gradients)


def _deepest(maps: list[Tensor], least: int) -> int:
    large = [i for i, one in enumerate(maps) if min(one.shape[2:]) >= least]
    return large[-1] if large else 0
