"""Spectrogram: which frequencies a series swings at, and when.

The series, less its mean in the window, is cut into overlapping segments; each is faded out towards its ends by a taper
w and split into frequencies by a discrete Fourier transform of `n_fft` points,

    X(k, m) = sum over s of w(s) x(m hop + s) exp(-2 pi i k s / n_fft),        k = 0 .. n_fft / 2,

and a pixel shows the magnitude of X, its square or its decibels as a share of the window's own maximum. Rows are
frequencies k / n_fft a candle: the bottom row is 0, trends, the top row a swing that turns with every candle. Columns
are segments, the latest on the right; the last segment always reaches the last candle, and what
`hop` leaves over is left out at the beginning.

With `padding = "reflect"` a column is the segment around its candle, and the window is mirrored at its ends: columns
within half a segment of the right edge know only candles up to the last, and see them twice. With `padding = "none"`
there are only the segments that the window holds in full, and a column stands for the segment that ends at it.

Magnitudes are those of `torch.stft` (same taper, `center` for `reflect`). More points than candles in a segment
(`n_fft` above `segment`) draw the same spectrum with more rows. It is computed as a product with cosines and sines,
which every backend can.

Source: Allen, "Short Term Spectral Analysis, Synthesis, and Modification by Discrete Fourier Transform", IEEE
Transactions on Acoustics, Speech, and Signal Processing 25(3), 1977.

Letters: B batch, C channels (series), T time, M segments, S candles of a segment, K frequencies.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import RecipeError
from triptych.images._common_size import Resampling
from triptych.images._cpu import as_array, drawn, run_shared, takes_kernel
from triptych.images._pixel_map import PixelAxis, PixelMap, by_column, by_row
from triptych.images._scratch import Scratch
from triptych.images._series import Series
from triptych.images._spectra import Intensity, Resize, centred, centred_rows, intensities, mirrored
from triptych.images._spectra_kernels import KINDS, ROWS, Taps, draw_spectrograms
from triptych.images._window import check_length, check_window, full_precision
from triptych.images.base import AbstractEncoding

GRAIN_PRODUCTS = 500_000
"""Products in a share of a batch that is worth a thread."""
TAPERS = {
    "hann": torch.hann_window,
    "hamming": torch.hamming_window,
    "blackman": torch.blackman_window,
}
"""The periodic ones of torch."""


class Config(BaseConfig):
    """Options of the spectrogram."""

    series: tuple[Series, ...] = Field(
        default=("log_return",),
        min_length=1,
        description="Series to draw, each one a channel: a candle field, `log_return` (logarithm of close over the "
        "close before; of the first candle, close over its own open) or `log_range` (logarithm of high over low).",
    )
    segment: int = Field(
        default=16,
        ge=2,
        le=4096,
        description="Candles in a segment, at most the window length. Long segments tell neighbouring frequencies "
        "apart, short ones tell moments apart.",
    )
    n_fft: int = Field(
        default=128,
        ge=2,
        le=4096,
        description="Points of the Fourier transform, at least `segment`: there are n_fft / 2 + 1 frequencies from 0 "
        "to half a swing a candle.",
    )
    hop: int = Field(default=1, ge=1, description="Candles from one segment to the next.")
    taper: Literal["hann", "hamming", "blackman", "rectangular"] = Field(
        default="hann", description="How segments fade out towards their ends; `rectangular`: not at all."
    )
    padding: Literal["reflect", "none"] = Field(
        default="reflect",
        description="`reflect`: a segment around every `hop`-th candle, the window mirrored at its ends. `none`: only "
        "segments that lie in the window.",
    )
    detrend: Literal["mean", "none"] = Field(
        default="mean", description="What is taken off the series first: its mean in the window, or nothing."
    )
    intensity: Intensity = Field(
        default="magnitude",
        description="What a pixel shows, as a share of the window's maximum: `magnitude`, `power` (its square) or "
        "`decibels` (its logarithm).",
    )
    range_db: float = Field(
        default=40.0, gt=0, le=120, description="Decibels below the maximum that are 0 in the image; for `decibels`."
    )
    height: int | None = Field(
        default=None, ge=2, le=1024, description="Rows of the image in pixels. Empty: one a frequency."
    )
    width: int | None = Field(
        default=None, ge=1, le=4096, description="Columns of the image in pixels. Empty: one a segment."
    )
    resampling: Resampling = Field(
        default="bilinear", description="How the image becomes `height` x `width`: interpolated, or the nearest pixel."
    )


class Spectrogram(AbstractEncoding):
    """One spectrogram per series. A series that does not move in its window is 0 everywhere.

    Continuous and differentiable, in decibels down to the floor of the range.
    """

    def __init__(self, config: Config, length: int) -> None:
        super().__init__()
        _check(config, length)
        self.config = config
        self.length = length
        self.channels = len(config.series)
        ends = torch.arange(length, 0, -config.hop).flip(dims=(0,))
        if config.padding == "none":
            starts = ends[ends >= config.segment] - config.segment
        else:
            starts = ends - 1 - config.segment // 2
        places = mirrored(starts[:, None] + torch.arange(config.segment), length)
        self.n_segments, self.n_frequencies = len(starts), config.n_fft // 2 + 1
        self.register_buffer("places", places.flatten(), persistent=False)
        self.register_buffer("basis", _basis(config), persistent=False)
        self.height = self.n_frequencies if config.height is None else config.height
        self.width = self.n_segments if config.width is None else config.width
        before, wanted = (self.n_frequencies, self.n_segments), (self.height, self.width)
        self.resize = Resize(before, wanted, config.resampling)
        self.plan, self.scratch = self._plan(), Scratch()

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Encode; see `AbstractEncoding`."""
        check_window(window_BTF, self.length)
        if takes_kernel(window_BTF):
            return drawn(self, window_BTF)
        with full_precision(window_BTF):
            x_BCT = centred(window_BTF, self.config.series, less_mean=self.config.detrend == "mean")
            segment_BCMS = x_BCT.index_select(2, self.get_buffer("places")).reshape(
                *x_BCT.shape[:2], self.n_segments, self.config.segment
            )
            basis = self.get_buffer("basis").to(x_BCT.dtype)
            part_BCKM = torch.matmul(basis, segment_BCMS.transpose(2, 3))
            real, imaginary = part_BCKM[:, :, : self.n_frequencies], part_BCKM[:, :, self.n_frequencies :]
            power_BCKM = real * real + imaginary * imaginary
            image: Tensor = self.resize(intensities(power_BCKM, self.config.intensity, self.config.range_db))
            return image

    def pixel_map(self) -> PixelMap:
        """A column stands for the candles of its segment, each by its weight in the taper."""
        config, shape = self.config, (self.channels, self.height, self.width)
        taper = torch.ones(config.segment) if config.taper == "rectangular" else TAPERS[config.taper](config.segment)
        places = self.get_buffer("places").reshape(self.n_segments, config.segment)
        shares = torch.zeros(self.n_segments, self.length, dtype=torch.float64)
        shares.scatter_add_(1, places, (taper.double() / taper.double().sum()).expand_as(places))
        frequencies = range(config.n_fft // 2, -1, -1)
        names = tuple("trend" if k == 0 else f"{config.n_fft / k:.3g} candles a swing" for k in frequencies)
        bands = by_row(self.resize.shares("rows").T.cpu().numpy(), shape)
        candles = by_column((self.resize.shares("columns") @ shares).T.cpu().numpy(), shape)
        axis = PixelAxis(kind="frequency", weights=bands, names=names)
        return PixelMap(shape=shape, candles=candles, axes=(axis,))

    def draw(self, window_BTF: Tensor, image_BCHW: Tensor) -> None:
        """Encode into memory that is there; see `Draws`."""
        config, segments, frequencies = self.config, self.n_segments, self.n_frequencies
        image, plan, less_mean = as_array(image_BCHW.flatten(0, 1)), self.plan, config.detrend == "mean"
        shapes = (self.plan[1].shape[1], segments), (2, segments), (frequencies, segments), (frequencies, self.width)
        wanted = tuple((shape, torch.float64) for shape in shapes)
        grain = -(-GRAIN_PRODUCTS // (2 * frequencies * segments * config.segment))
        with centred_rows(self.scratch, window_BTF, config.series, torch.float64, less_mean=less_mean) as series:

            def share(first: int, end: int) -> None:
                with self.scratch.lend(*wanted) as memory:
                    draw_spectrograms(first, end, series, image, tuple(memory), *plan)

            run_shared(share, len(series), grain=grain)

    def _plan(self) -> tuple[Any, ...]:
        """What the kernel wants to know besides the series."""
        return (
            as_array(self.get_buffer("places").reshape(self.n_segments, self.config.segment)),
            as_array(F.pad(self.get_buffer("basis").double(), (0, -self.config.segment % ROWS))),
            KINDS[self.config.intensity], 10.0 ** (-self.config.range_db / 10.0),
            Taps.of(self.resize.get_buffer("rows"), self.resize.changes[0]),
            Taps.of(self.resize.get_buffer("columns"), self.resize.changes[1]),
        )  # fmt: skip


def build(config: Config, length: int) -> AbstractEncoding:
    """The encoding for windows of `length` candles.

    Raises RecipeError when a segment is longer than the window, or than the transform has points.
    """
    return Spectrogram(config, length)


def _check(config: Config, length: int) -> None:
    check_length("spectrogram", length)
    if config.segment > length:
        raise RecipeError(
            f"spectrogram: a segment of {config.segment} candles is longer than the window of {length}.",
            remedy=f"Set segment to {length} or less (better a quarter of it), or lengthen the window.",
        )
    if config.n_fft < config.segment:
        raise RecipeError(
            f"spectrogram: a transform of {config.n_fft} points cannot hold a segment of {config.segment} candles.",
            remedy=f"Set n_fft to {config.segment} or more, or shorten the segment.",
        )


def _basis(config: Config) -> Tensor:
    """Tapered cosines and below them sines, shape (2 frequencies, candles of a segment), highest frequency first."""
    place = torch.arange(config.segment)
    frequency = torch.arange(config.n_fft // 2, -1, -1)
    # Whole turns are taken off while they are still whole numbers.
    angle = (frequency[:, None] * place % config.n_fft).double() * (2.0 * math.pi / config.n_fft)
    if config.taper == "rectangular":
        taper = torch.ones(config.segment, dtype=torch.float64)
    else:
        taper = TAPERS[config.taper](config.segment, dtype=torch.float64)
    return (torch.cat([angle.cos(), angle.sin()]) * taper).float()
