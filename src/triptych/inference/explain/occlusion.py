"""Occlusion: what a network's certainty loses when a patch of the image is painted over.

Source: Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2. Patches are
filled with the image that says nothing and overlap by half. A patch shares what it takes among its pixels, and a
pixel's heat is the mean over the patches that cover it: heat added up over an area is what the area takes.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from triptych.inference.explain.margin import BATCH, Margin

PATCHES = 8
"""Patches that cover a side once."""
Patch = tuple[slice, slice, slice]


def occlusion(margin: Margin, image_1CHW: Tensor, blank_CHW: Tensor, patch: tuple[int, int] | None = None) -> Tensor:
    """Log-odds that are lost without each pixel, shape (channels, height, width).

    Args:
        margin: what is explained.
        image_1CHW: one image in [0, 1].
        blank_CHW: what patches are filled with.
        patch: height and width of a patch in pixels; None takes an eighth of each side. An image of one row is a
            sequence: its channels, the factors, are painted over one by one.
    """
    image, blank = image_1CHW[0], blank_CHW.to(image_1CHW)
    channels, height, width = image.shape
    size = patch or (-(-height // PATCHES), -(-width // PATCHES))
    places = list(_places((channels, height, width), size))
    before = margin.of(image_1CHW)[0]
    lost = torch.zeros(channels, height, width, dtype=torch.float64)
    covered = torch.zeros_like(lost)
    for start in range(0, len(places), BATCH):
        some = places[start : start + BATCH]
        painted = image.repeat(len(some), 1, 1, 1)
        for i, place in enumerate(some):
            painted[i][place] = blank[place]
        losses = (before - margin.of(painted)).double().tolist()
        for place, loss in zip(some, losses, strict=True):
            lost[place] += loss / lost[place].numel()
            covered[place] += 1.0
    return lost / covered


def _places(shape: tuple[int, int, int], size: tuple[int, int]) -> Iterator[Patch]:
    channels, height, width = shape
    layers = [slice(c, c + 1) for c in range(channels)] if height == 1 else [slice(0, channels)]
    for layer in layers:
        for top in _starts(height, size[0]):
            for left in _starts(width, size[1]):
                yield layer, slice(top, top + size[0]), slice(left, left + size[1])


def _starts(side: int, size: int) -> list[int]:
    """Where patches begin: half a patch apart, the last one at the far end."""
    last = max(side - size, 0)
    return sorted({*range(0, last, max(size // 2, 1)), last})
