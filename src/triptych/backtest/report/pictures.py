"""Image arrays as PNG data in the page."""

from __future__ import annotations

import base64
import io

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray


def data_uri(image: NDArray[np.floating] | NDArray[np.uint8]) -> str:
    """A PNG of the image as a data URI; the array is as `SampleImage.image` says.

    Values that are not numbers are black.
    """
    target = io.BytesIO()
    # a fixed note instead of matplotlib's own keeps the file the same from version to version
    imsave(target, pixels(image), format="png", metadata={"Software": "Triptych"})
    return "data:image/png;base64," + base64.b64encode(target.getvalue()).decode("ascii")


def pixels(image: NDArray[np.floating] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image as uint8 of shape (height, width, 3)."""
    values = np.asarray(image)
    if values.dtype != np.uint8:
        values = np.round(np.clip(np.nan_to_num(values.astype(np.float64)), 0.0, 1.0) * 255).astype(np.uint8)
    channels = values if values.ndim == 3 else values[None]
    if len(channels) == 3:
        return np.ascontiguousarray(channels.transpose(1, 2, 0))
    side_by_side = np.concatenate(list(channels), axis=1)
    return np.repeat(side_by_side[:, :, None], 3, axis=2)
