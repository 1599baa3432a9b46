"""Windows through an encoding, batch by batch, as pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.bootstrap.rendering.catalogue import value_range
from triptych.images import AbstractEncoding
from triptych.images._pixels import to_pixels
from triptych.images.jkx import LeavesBlank

BATCH_BYTES: Final = 32 * 2**20
"""Memory of the images that are drawn at a time."""
MOST_IN_A_BATCH: Final = 256


def draw(
    encoding: AbstractEncoding, rows: NDArray[np.float32], ends: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Draw the windows of `rows` that end with rows `ends`.

    Windows are float32, as networks take them. Yields (ends of the batch, uint8 pixels of shape (batch, height, width,
    channels)), 0 and 255 being the ends of the encoding's range.
    """
    image_bytes = 4 * encoding.channels * encoding.height * encoding.width
    step = int(np.clip(BATCH_BYTES // image_bytes, 1, MOST_IN_A_BATCH))
    low, high = value_range(encoding)
    back = np.arange(1 - encoding.length, 1)
    for start in range(0, len(ends), step):
        chosen = ends[start : start + step]
        with torch.inference_mode():
            window = torch.from_numpy(rows[chosen[:, None] + back])
            is_missing = window.isnan().all(dim=2)
            if isinstance(encoding, LeavesBlank) and is_missing.any():
                image = encoding.with_blanks(window, is_missing)
            else:
                image = encoding(window)
            if (low, high) != (0.0, 1.0):
                image = (image - low) / (high - low)
            pixels = to_pixels(image)
        yield chosen, pixels
