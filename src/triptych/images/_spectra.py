"""What the spectrogram and the scalogram share: the series without its mean, mirrored edges, and the way from power to
an image.

Letters: B batch, C channels (series), T time, F rows (frequencies or scales), H rows and W columns of the image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from triptych.images._common_size import Resampling, nearest, resizing
from triptych.images._scratch import Scratch
from triptych.images._series import Series, fill_centred, stacked_series
from triptych.images._window import positive_or_one

Intensity = Literal["magnitude", "power", "decibels"]


def centred(window_BTF: Tensor, series: tuple[Series, ...], *, less_mean: bool = True) -> Tensor:
    """The series less their means in the window, in units of their largest value, shape (batch, series, time).

    The image of a spectrum is relative to its own maximum, so units do not matter to it: these keep squares of prices
    and of tiny returns inside the range of single precision. For the same reason the unit takes no part in gradients.
    """
    x_BCT = stacked_series(window_BTF, series)
    if less_mean:
        # Less the first value first: of a series that does not move exactly nothing is left.
        x_BCT = x_BCT - x_BCT[..., :1]
        x_BCT = x_BCT - x_BCT.mean(dim=-1, keepdim=True)
    return x_BCT / positive_or_one(x_BCT.detach().abs().amax(dim=-1, keepdim=True))


@contextmanager
def centred_rows(
    scratch: Scratch, window_BTF: Tensor, series: tuple[Series, ...], dtype: torch.dtype, *, less_mean: bool = True
) -> Iterator[NDArray[Any]]:
    """What `centred` gives, for kernels: of shape (batch times series, time), the borrower's until the block ends.

    The memory of a single window is used again; that of a batch, whose size is nobody's but its own, is not kept.
    """
    shape = len(window_BTF) * len(series), window_BTF.shape[1]
    wanted = (shape, dtype), (shape[1:], torch.float64)
    lender = scratch if len(window_BTF) == 1 else Scratch()
    with lender.lend(*wanted) as (rows, work):
        fill_centred(window_BTF, series, less_mean=less_mean, work=work, out=rows)
        yield rows


def mirrored(places: Tensor, length: int) -> Tensor:
    """Which candle of the window stands at places before its first or after its last: int64, shape as `places`.

    The window is mirrored at its first and at its last candle, as often as needed, without repeating them.
    """
    period = 2 * (length - 1)
    offset = places % period
    return torch.minimum(offset, period - offset)


def intensities(power_BCFT: Tensor, kind: Intensity, range_db: float) -> Tensor:
    """Power as shares of the largest of its channel, in [0, 1] and of the same shape; 0 where there is no power."""
    share = power_BCFT / positive_or_one(power_BCFT.amax(dim=(2, 3), keepdim=True))
    if kind == "power":
        return share
    if kind == "magnitude":
        # The slope of the root is infinite at 0, and 0 times infinity is NaN: with the smallest number it is 0.
        return torch.where(share > 0, share.clamp(min=torch.finfo(share.dtype).tiny).sqrt(), 0.0)
    floor = 10.0 ** (-range_db / 10.0)
    return (1.0 - share.clamp(min=floor).log() / math.log(floor)).clamp(0.0, 1.0)


class Resize(nn.Module):
    """Turns images of one size into images of another.

    `nearest` takes the pixel in which the middle of the new one lies. `bilinear` is torch's with `antialias`: it
    interpolates between middles, and averages where there are fewer pixels than before.

    Args:
        before: height and width of the images that come.
        after: height and width of those that go.
        resampling: how.
    """

    def __init__(self, before: tuple[int, int], after: tuple[int, int], resampling: Resampling) -> None:
        super().__init__()
        self.resampling = resampling
        self.before = before
        self.changes = before[0] != after[0], before[1] != after[1]
        for name, old, new in zip(("rows", "columns"), before, after, strict=True):
            places = nearest(old, new) if resampling == "nearest" else resizing(old, new, resampling).T.float()
            self.register_buffer(name, places.contiguous(), persistent=False)

    def shares(self, name: Literal["rows", "columns"]) -> Tensor:
        """Weights of old pixels in new ones along one side, float64 of shape (new, old)."""
        places, old = self.get_buffer(name), self.before[0 if name == "rows" else 1]
        if self.resampling == "bilinear":
            return places.double()
        return torch.nn.functional.one_hot(places, old).double()

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Resize images of shape (batch, channels, height, width)."""
        rows, columns = self.get_buffer("rows"), self.get_buffer("columns")
        if self.resampling == "nearest":
            image_BCHW = image_BCHW.index_select(2, rows) if self.changes[0] else image_BCHW
            return image_BCHW.index_select(3, columns) if self.changes[1] else image_BCHW
        if self.changes[0]:
            image_BCHW = torch.matmul(rows.to(image_BCHW.dtype), image_BCHW)
        if self.changes[1]:
            image_BCHW = torch.matmul(image_BCHW, columns.to(image_BCHW.dtype).transpose(0, 1))
        return image_BCHW.clamp(0.0, 1.0)  # weights of a pixel may sum to a little more than 1
