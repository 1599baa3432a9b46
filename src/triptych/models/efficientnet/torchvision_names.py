"""State-dict names of torchvision's EfficientNets and ours (timm's), in both directions.

torchvision numbers everything: `features.0` is the stem, `features.1` to `features.n` are the stages, `features.n+1`
is the head; inside a block, `block.i.0` is a convolution, `block.i.1` its normalisation and `block.i.fc1`, `.fc2` a
squeeze-and-excitation. Weights are equal tensor for tensor; torchvision's B5-B7 and V2 want bn_eps=1e-3.
Source: torchvision/models/efficientnet.py and torchvision/ops/misc.py, 0.28.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

# Our layer -> torchvision's, for each kind of block.
_PLAIN: Final = {"conv": "0.0", "bn1": "0.1"}
_FUSED: Final = {"conv_exp": "0.0", "bn1": "0.1", "conv_pwl": "1.0", "bn2": "1.1"}
_DEPTHWISE: Final = {
    "conv_dw": "0.0",
    "bn1": "0.1",
    "se.conv_reduce": "1.fc1",
    "se.conv_expand": "1.fc2",
    "conv_pw": "2.0",
    "bn2": "2.1",
}
_INVERTED: Final = {
    "conv_pw": "0.0",
    "bn1": "0.1",
    "conv_dw": "1.0",
    "bn2": "1.1",
    "se.conv_reduce": "2.fc1",
    "se.conv_expand": "2.fc2",
    "conv_pwl": "3.0",
    "bn3": "3.1",
}
_KINDS: Final = (_PLAIN, _FUSED, _DEPTHWISE, _INVERTED)
_OUR_BLOCK: Final = re.compile(r"blocks\.(\d+)\.(\d+)\.(.+)\.(\w+)")
_THEIR_BLOCK: Final = re.compile(r"features\.(\d+)\.(\d+)\.block\.(\d+\.\w+)\.(\w+)")


def to_torchvision_names(names: Iterable[str]) -> dict[str, str]:
    """Our name -> torchvision's, for every name of one of our state dicts that has a counterpart."""
    names = tuple(names)
    blocks = [match for name in names if (match := _OUR_BLOCK.fullmatch(name))]
    layers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for match in blocks:
        layers[match[1], match[2]].add(match[3])
    n_stages = 1 + max((int(match[1]) for match in blocks), default=-1)
    outside = _outside_the_stages(n_stages)
    renamed = {}
    for name in names:
        match = _OUR_BLOCK.fullmatch(name)
        layer, _, leaf = name.rpartition(".")
        if match is None and layer in outside:
            renamed[name] = f"{outside[layer]}.{leaf}"
        elif match is not None:
            stage, block, layer, leaf = match.groups()
            kind = next((kind for kind in _KINDS if set(kind) == layers[stage, block]), {})
            if layer in kind:
                renamed[name] = f"features.{int(stage) + 1}.{block}.block.{kind[layer]}.{leaf}"
    return renamed


def to_timm_names(names: Iterable[str]) -> dict[str, str]:
    """torchvision's name -> ours, for every name that has a counterpart; nothing for names that are ours already."""
    names = tuple(names)
    blocks = [match for name in names if (match := _THEIR_BLOCK.fullmatch(name))]
    layers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for match in blocks:
        layers[match[1], match[2]].add(match[3])
    n_stages = max((int(match[1]) for match in blocks), default=0)
    outside = {theirs: ours for ours, theirs in _outside_the_stages(n_stages).items()}
    renamed = {}
    for name in names:
        match = _THEIR_BLOCK.fullmatch(name)
        layer, _, leaf = name.rpartition(".")
        if match is None and layer in outside:
            renamed[name] = f"{outside[layer]}.{leaf}"
        elif match is not None:
            stage, block, layer, leaf = match.groups()
            kind = next((kind for kind in _KINDS if set(kind.values()) == layers[stage, block]), {})
            ours = {theirs: our for our, theirs in kind.items()}
            if layer in ours:
                renamed[name] = f"blocks.{int(stage) - 1}.{block}.{ours[layer]}.{leaf}"
    return renamed


def _outside_the_stages(n_stages: int) -> dict[str, str]:
    """Our layer -> torchvision's, for stem, head and classifier of a network of `n_stages` stages."""
    return {
        "conv_stem": "features.0.0",
        "bn1": "features.0.1",
        "conv_head": f"features.{n_stages + 1}.0",
        "bn2": f"features.{n_stages + 1}.1",
        "classifier": "classifier.1",
    }
