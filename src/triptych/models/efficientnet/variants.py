"""The named EfficientNets: family, compound scaling, padding and batch normalisation of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from triptych.models.efficientnet.layers import LayerOptions
from triptych.models.efficientnet.stages import V1, V2_BASE, V2_L, V2_M, V2_S, V2_XL, Family

PYTORCH: Final = LayerOptions()
"""Padding k // 2, epsilon 1e-5: networks trained in PyTorch."""

TENSORFLOW: Final = LayerOptions(padding="same", bn_eps=1e-3)
"""SAME padding, epsilon 1e-3: weights carried over from TensorFlow. The momentum stays PyTorch's 0.1, as in timm."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A named network: its family, scaled by `width` and `depth`."""

    family: Family
    width: float = 1.0
    depth: float = 1.0
    options: LayerOptions = PYTORCH


_V1_SCALING: Final = {
    "b0": (1.0, 1.0),
    "b1": (1.0, 1.1),
    "b2": (1.1, 1.2),
    "b3": (1.2, 1.4),
    "b4": (1.4, 1.8),
    "b5": (1.6, 2.2),
    "b6": (1.8, 2.6),
    "b7": (2.0, 3.1),
}
_V2_BASE_SCALING: Final = {"b0": (1.0, 1.0), "b1": (1.0, 1.1), "b2": (1.1, 1.2), "b3": (1.2, 1.4)}
_V2_FAMILIES: Final = {"s": V2_S, "m": V2_M, "l": V2_L, "xl": V2_XL}


def _named_variants() -> dict[str, Variant]:
    variants = {}
    for prefix, options in (("", PYTORCH), ("tf_", TENSORFLOW)):
        for size, (width, depth) in _V1_SCALING.items():
            name = f"{prefix}efficientnet_{size}"
            variants[name] = Variant(family=V1, width=width, depth=depth, options=options)
        for size, family in _V2_FAMILIES.items():
            variants[f"{prefix}efficientnetv2_{size}"] = Variant(family=family, options=options)
    for size, (width, depth) in _V2_BASE_SCALING.items():
        name = f"tf_efficientnetv2_{size}"
        variants[name] = Variant(family=V2_BASE, width=width, depth=depth, options=TENSORFLOW)
    return variants


VARIANTS: Final[dict[str, Variant]] = _named_variants()
"""All variants by their timm name."""
