"""Images as bytes, for files and screens: the channels last, as picture formats want them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triptych.images._cpu import as_array, kernel, run_shared, takes_kernel

GRAIN_VALUES = 200_000
"""Values in a share worth a thread."""


def to_pixels(image_BCHW: Tensor, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Values in [0, 1] as whole numbers from 0 to 255: rounded to the nearest (halves up), cut off outside the range.

    Args:
        image_BCHW: tensor of shape (batch, channels, height, width), of any floating dtype and on any device.
        out: C-contiguous array of shape (batch, height, width, channels) to write into.

    Returns:
        `out`, or a new array of its shape.
    """
    batch, channels, height, width = image_BCHW.shape
    if out is None:
        out = np.empty((batch, height, width, channels), dtype=np.uint8)
    if not takes_kernel(image_BCHW):
        image_BCHW = image_BCHW.detach().to(device="cpu", dtype=torch.float32)
    size = channels * height * width
    run_shared(_round, batch, as_array(image_BCHW), out, grain=max(1, GRAIN_VALUES // max(1, size)))
    return out


@kernel
def _round(first: int, end: int, image: NDArray[Any], pixels: NDArray[np.uint8]) -> None:
    channels, height, width = image.shape[1:]
    # In double precision, where a half is a half; the step between is what lets the compiler use vector instructions.
    line = np.empty(width, np.int32)
    for b in range(first, end):
        for row in range(height):
            for c in range(channels):
                for x in range(width):
                    line[x] = int(min(max(image[b, c, row, x] * 255.0 + 0.5, 0.0), 255.0))
                for x in range(width):
                    pixels[b, row, x, c] = line[x]
