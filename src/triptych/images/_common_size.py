"""Bringing the images of several encodings to one size and one channel each.

Rows and columns are resized by a matrix each: new pixel = sum of weight times old pixel. `nearest` takes the old pixel
in which the middle of the new one lies. `bilinear` interpolates between the middles of old pixels; where an image
shrinks it widens its reach so that every old pixel counts (antialiasing), as Pillow and torch do.

Letters: B batch, C channels, H and W sides of the image, R and V its sides after resizing.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Resampling = Literal["nearest", "bilinear"]


def resizing(length: int, size: int, resampling: Resampling) -> Tensor:
    """Matrix of shape (length, size), float64, that turns `length` pixels into `size`; its columns sum to 1."""
    middle = (torch.arange(size, dtype=torch.float64) + 0.5) * length / size
    if resampling == "nearest":
        nearest = (2 * torch.arange(size) + 1) * length // (2 * size)  # the middle, without rounding
        return (torch.arange(length)[:, None] == nearest).double()
    reach = max(1.0, length / size)
    distance = torch.arange(length, dtype=torch.float64)[:, None] + 0.5 - middle
    weights = (1.0 - distance.abs() / reach).clamp(min=0.0)
    return weights / weights.sum(dim=0)


def resized(image_BCHW: Tensor, rows_HR: Tensor | None, columns_WV: Tensor | None) -> Tensor:
    """The image with its sides put through matrices of `resizing`, (batch, channels, R, V); None leaves a side."""
    if columns_WV is not None:
        image_BCHW = torch.matmul(image_BCHW, columns_WV.to(image_BCHW.dtype))
    return image_BCHW if rows_HR is None else torch.matmul(rows_HR.to(image_BCHW.dtype).T, image_BCHW)
