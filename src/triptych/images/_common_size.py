"""Bringing the images of several encodings to one size and one channel each.

Channels are mixed by weights. Rows and columns are resized by a matrix each: new pixel = sum of weight times old pixel.
`nearest` takes the old pixel in which the middle of the new one lies. `bilinear` interpolates between the middles of
old pixels; where an image shrinks it widens its reach so that every old pixel counts (antialiasing), as Pillow and
torch do. On the CPU a compiled loop does all of it in one pass, without multiplying the zeros of the matrices.

Letters: B batch, C channels of the image, K of them after mixing, H and W its sides, R and V its sides after resizing.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from triptych.images._cpu import as_array, kernel, run_shared
from triptych.images._scratch import Scratch

Resampling = Literal["nearest", "bilinear"]

GRAIN_PIXELS = 200_000
"""Pixels in a share worth a thread."""

_Taps = tuple[NDArray[np.uint64], NDArray[Any]]


class CommonSize(nn.Module):
    """Turns images of `height` x `width` into images of the size `to`, with channels mixed.

    Args:
        height, width: of the image.
        to: (height, width) afterwards.
        mixing: float64 of shape (K, C), weights of the channels in each new one; None keeps all as they are.
        resampling: how sides are resized that differ.
    """

    def __init__(
        self, *, height: int, width: int, to: tuple[int, int], mixing: Tensor | None, resampling: Resampling
    ) -> None:
        super().__init__()
        rows = None if height == to[0] else resizing(height, to[0], resampling)
        across = None if width == to[1] else resizing(width, to[1], resampling)
        self.register_buffer("mixing", mixing, persistent=False)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("across", across, persistent=False)
        self._taps = _taps(rows, to[0]), _taps(across, to[1])
        self._plans: dict[torch.dtype, tuple[NDArray[Any], _Taps, _Taps]] = {}
        self._scratch = Scratch()

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Tensor of shape (batch, K, *to)."""
        mixing, rows, across = (self._buffers[name] for name in ("mixing", "rows", "across"))
        if mixing is not None:
            # Added up one by one: a product of matrices would round otherwise on every backend.
            image_BCHW = (image_BCHW[:, None] * mixing.to(image_BCHW.dtype)[:, :, None, None]).sum(dim=2)
        if across is not None:
            image_BCHW = torch.matmul(image_BCHW, across.to(image_BCHW.dtype))
        return image_BCHW if rows is None else torch.matmul(rows.to(image_BCHW.dtype).T, image_BCHW)

    def draw(self, image_BCHW: Tensor, out_BKRV: NDArray[Any], at: int) -> None:
        """The same, by a compiled loop, into the channels of `out_BKRV` from `at` on; both on the CPU, of one dtype."""
        image, dtype = as_array(image_BCHW), image_BCHW.dtype
        height, width, new_width = *image.shape[2:], out_BKRV.shape[3]
        weights, (row_starts, row_weights), (starts, column_weights) = self._plan(dtype)

        def share(first: int, end: int) -> None:
            with self._scratch.lend(((height, width), dtype), ((height, new_width), dtype)) as (mixed, narrow):
                _fill(
                    first, end, image, weights, row_starts, row_weights, starts, column_weights, out_BKRV, at, mixed,
                    narrow,
                )  # fmt: skip

        run_shared(share, len(image), grain=max(1, GRAIN_PIXELS // (image[0].size + out_BKRV[0, 0].size)))

    def _plan(self, dtype: torch.dtype) -> tuple[NDArray[Any], _Taps, _Taps]:
        """Weights of the channels and of the pixels in the dtype of the images; made once for each."""
        if dtype not in self._plans:
            mixing, real = self._buffers["mixing"], np.dtype(str(dtype).removeprefix("torch."))
            weights = np.empty((0, 0)) if mixing is None else mixing.numpy()
            rows, columns = ((start, taps.astype(real)) for start, taps in self._taps)
            self._plans[dtype] = weights.astype(real), rows, columns
        return self._plans[dtype]


def resizing(length: int, size: int, resampling: Resampling) -> Tensor:
    """Matrix of shape (length, size), float64, that turns `length` pixels into `size`; its columns sum to 1."""
    if resampling == "nearest":
        return (torch.arange(length)[:, None] == nearest(length, size)).double()
    middle = (torch.arange(size, dtype=torch.float64) + 0.5) * length / size
    reach = max(1.0, length / size)
    distance = torch.arange(length, dtype=torch.float64)[:, None] + 0.5 - middle
    weights = (1.0 - distance.abs() / reach).clamp(min=0.0)
    return weights / weights.sum(dim=0)


def nearest(length: int, size: int) -> Tensor:
    """For each of `size` new pixels the old one in which its middle lies, int64 of shape (size,)."""
    return (2 * torch.arange(size) + 1) * length // (2 * size)


def _taps(matrix: Tensor | None, size: int) -> _Taps:
    """First old pixel of every new one, shape (size,), and the weights from there on, shape (most weights, size).

    Without a matrix there are no weights. Positions have no sign: the compiler need not look for negative ones.
    """
    if matrix is None:
        return np.arange(size, dtype=np.uint64), np.empty((0, size))
    weights = matrix.T.numpy()
    first = (weights > 0).argmax(axis=1)
    most = int((weights > 0).sum(axis=1).max())
    starts = np.minimum(first, weights.shape[1] - most)
    found = np.take_along_axis(weights, starts[:, None] + np.arange(most), axis=1)
    return starts.astype(np.uint64), np.ascontiguousarray(found.T)


@kernel
def _fill(
    first: int,
    end: int,
    image: NDArray[Any],
    mixing: NDArray[Any],
    row_starts: NDArray[np.uint64],
    row_weights: NDArray[Any],
    starts: NDArray[np.uint64],
    weights: NDArray[Any],
    out: NDArray[Any],
    at: int,
    mixed: NDArray[Any],
    narrow: NDArray[Any],
) -> None:
    channels, height, width = image.shape[1:]
    new_height, new_width = out.shape[2:]
    kept = mixing.shape[0] if mixing.shape[1] else channels
    for b in range(first, end):
        for k in range(kept):
            plane = image[b, k % channels]
            if mixing.shape[1]:
                for y in range(height):
                    for x in range(width):
                        mixed[y, x] = image[b, 0, y, x] * mixing[k, 0]
                    for c in range(1, channels):
                        for x in range(width):
                            mixed[y, x] += image[b, c, y, x] * mixing[k, c]
                plane = mixed
            if len(weights):
                for y in range(height):
                    for x in range(new_width):
                        narrow[y, x] = plane[y, starts[x]] * weights[0, x]
                    for tap in range(1, len(weights)):
                        for x in range(new_width):
                            narrow[y, x] += plane[y, starts[x] + np.uint64(tap)] * weights[tap, x]
                plane = narrow
            target = out[b, at + k]
            if len(row_weights):
                for y in range(new_height):
                    for x in range(new_width):
                        target[y, x] = plane[row_starts[y], x] * row_weights[0, y]
                    for tap in range(1, len(row_weights)):
                        for x in range(new_width):
                            target[y, x] += plane[row_starts[y] + np.uint64(tap), x] * row_weights[tap, y]
            else:
                for y in range(new_height):
                    for x in range(new_width):
                        target[y, x] = plane[y, x]
