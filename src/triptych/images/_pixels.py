"""Images as bytes, for files and screens: the channels last, as picture formats want them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triptych.domain.errors import DataError
from triptych.images._cpu import as_array, kernel, run_shared, takes_kernel

GRAIN_VALUES = 200_000
"""Values in a share worth a thread."""


def to_pixels(image_BCHW: Tensor, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Values in [0, 1] as whole numbers from 0 to 255: rounded to the nearest (halves up), cut off outside the range.

    Args:
        image_BCHW: tensor of shape (batch, channels, height, width), of any floating dtype and on any device, finite.
        out: C-contiguous array of shape (batch, height, width, channels) to write into.

    Returns:
        `out`, or a new array of its shape.

    Raises:
        DataError: no such image or output, or a value that is no number: its place is named.
    """
    _check(image_BCHW, out)
    batch, channels, height, width = image_BCHW.shape
    if out is None:
        out = np.empty((batch, height, width, channels), dtype=np.uint8)
    if not takes_kernel(image_BCHW):
        image_BCHW = image_BCHW.detach().to(device="cpu", dtype=torch.float32)
    size = channels * height * width
    image, is_finite = as_array(image_BCHW), np.empty(batch, dtype=np.bool_)
    run_shared(_round, batch, image, out, is_finite, grain=max(1, GRAIN_VALUES // max(1, size)))
    if not is_finite.all():
        b, c, y, x = (int(i) for i in np.argwhere(~np.isfinite(image))[0])
        raise DataError(
            f"Image {b} of the batch, channel {c}, row {y}, column {x} is {image[b, c, y, x]}.",
            remedy="Leave out what is not finite before it becomes bytes: the image was not made by an encoding.",
        )
    return out


def _check(image_BCHW: Tensor, out: NDArray[np.uint8] | None) -> None:
    if not isinstance(image_BCHW, Tensor) or image_BCHW.ndim != 4 or not image_BCHW.is_floating_point():
        found = type(image_BCHW).__name__
        if isinstance(image_BCHW, Tensor):
            found = f"{str(image_BCHW.dtype).removeprefix('torch.')} of shape {tuple(image_BCHW.shape)}"
        raise DataError(
            f"Expected images as a floating tensor of shape (batch, channels, height, width), was {found}.",
            remedy="Give what an encoding returns; of a single image, image[None].",
        )
    if out is None:
        return
    batch, channels, height, width = image_BCHW.shape
    expected = (batch, height, width, channels)
    good = isinstance(out, np.ndarray) and out.dtype == np.uint8 and out.flags.c_contiguous and out.flags.writeable
    if not good or out.shape != expected:
        found = f"{out.dtype} of shape {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise DataError(
            f"Expected a C-contiguous output of uint8 of shape {expected}, was {found}.",
            remedy="Make it with np.empty: the channels come last.",
        )


@kernel
def _round(first: int, end: int, image: NDArray[Any], pixels: NDArray[np.uint8], is_finite: NDArray[np.bool_]) -> None:
    channels, height, width = image.shape[1:]
    # In double precision, where a half is a half; the step between is what lets the compiler use vector instructions.
    line = np.empty(width, np.int32)
    # Of every column the sum of zeros, or NaN once a value was not finite: columns do not wait for one another.
    zero = np.empty(width, image.dtype)
    for b in range(first, end):
        zero[:] = 0
        for row in range(height):
            for c in range(channels):
                for x in range(width):
                    line[x] = int(min(max(image[b, c, row, x] * 255.0 + 0.5, 0.0), 255.0))
                for x in range(width):
                    zero[x] += image[b, c, row, x] * image.dtype.type(0)
                for x in range(width):
                    pixels[b, row, x, c] = line[x]
        is_finite[b] = not np.isnan(zero.sum())
