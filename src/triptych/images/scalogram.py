"""Scalogram: which rhythms a series had at which time, by the continuous wavelet transform.

Rows are periods P in equal ratios, the shortest on top; columns are candles, the latest on the right. A pixel shows how
much the series, less its mean in the window, resembles a wavelet of scale s around candle t,

    W(s, t) = 1 / sqrt(s) * sum over u of x(u) conj(psi((u - t) / s))

as the magnitude of W, its square or its decibels, relative to the window's own maximum. The factor 1 / sqrt(s) gives
every scale the same energy: noise is equally bright in all rows. Short periods are seen at their exact time, long ones
over more of it, which the fixed segment of a spectrogram cannot do. The wavelets:

- `morlet`: psi(v) = pi^(-1/4) (exp(i w v) - exp(-w^2 / 2)) exp(-v^2 / 2): a swing that fades in and out; complex, so
  brightness follows the envelope. Its period is P = 4 pi s / (w + sqrt(2 + w^2)), with w = 6 1.03 s.
- `ricker`: psi(v) = 2 / (sqrt(3) pi^(1/4)) (1 - v^2) exp(-v^2 / 2), the Mexican hat: real, so single tops, bottoms and
  jumps stand apart. P = 2 pi s / sqrt(5 / 2) = 3.97 s.

Beyond its ends the window goes on as its own reflection: no candle after the last is ever used. Pixels closer to an end
than sqrt(2) s candles, the cone of influence (`Scalogram.cone_of_influence`), are partly made of that reflection. So at
the last candle no row is measured alone, and the longer the period, the further back the reflection is felt.

A line reflected for ever is periodic and even, a sum of cosines, and the transform of a cosine is known: all scales are
products of small matrices, equal to the sum above, and export to every backend.

Source: Torrence and Compo, "A Practical Guide to Wavelet Analysis", Bulletin of the American Meteorological Society 79,
1998, sections 3b to 3h and table 1; reflection instead of zeros beyond the ends.

Letters: B batch, C channels (series), N windows times channels, T time, S scales, K frequencies, P parts of a complex
number.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import RecipeError
from triptych.images._common_size import Resampling
from triptych.images._cpu import as_array, drawn, run_shared, takes_kernel
from triptych.images._pixel_map import PixelAxis, PixelMap, by_column, by_row
from triptych.images._scratch import Scratch
from triptych.images._series import Series
from triptych.images._spectra import Intensity, Resize, centred, centred_rows, intensities
from triptych.images._spectra_kernels import KINDS, ROWS, Taps, draw_scalograms
from triptych.images._window import check_length, check_window, full_precision
from triptych.images.base import AbstractEncoding

REACH = 7.0
"""Scales from its middle at which a wavelet is cut off: the bell is 2e-11 there."""
GRAIN_PRODUCTS = 500_000
"""Products in a share of a batch that is worth a thread."""
BUFFERS = "responses", "analysis", "waves"
GROUPS = 6
"""Scales are transformed in so many groups, each by the frequencies that its wavelets hold, not by all."""
FAINT = 1e-7
"""Share of a group's strongest frequency below which a frequency is left out."""


class Config(BaseConfig):
    """Options of the scalogram."""

    series: tuple[Series, ...] = Field(
        default=("log_return",),
        min_length=1,
        description="Series to draw, each one a channel: a candle field, `log_return` (logarithm of close over the "
        "close before; of the first candle, close over its own open) or `log_range` (logarithm of high over low).",
    )
    wavelet: Literal["morlet", "ricker"] = Field(
        default="morlet",
        description="`morlet`: complex, tells periods apart, and its strength does not ripple with the phase. "
        "`ricker` (Mexican hat): real, tells single tops, bottoms and jumps apart.",
    )
    cycles: float = Field(
        default=6.0,
        ge=3,
        le=30,
        description="Angular frequency w of the Morlet wavelet in radians a scale: more tells periods apart, less "
        "tells moments apart.",
    )
    shortest: float = Field(default=2.0, ge=2, le=4096, description="Shortest period in candles: the top row.")
    longest: float | None = Field(
        default=None,
        gt=2,
        le=8192,
        description="Longest period in candles, the bottom row; at most twice the window length. Empty: a third of the "
        "window length, and at least twice the shortest.",
    )
    intensity: Intensity = Field(
        default="magnitude",
        description="What a pixel shows, as a share of the window's maximum: `magnitude`, `power` (its square) or "
        "`decibels` (its logarithm).",
    )
    range_db: float = Field(
        default=40.0, gt=0, le=120, description="Decibels below the maximum that are 0 in the image; for `decibels`."
    )
    height: int = Field(default=64, ge=2, le=1024, description="Rows of the image in pixels, each one period.")
    width: int | None = Field(
        default=None, ge=2, le=4096, description="Columns of the image in pixels. Empty: one a candle."
    )
    resampling: Resampling = Field(
        default="bilinear", description="How candles become `width` columns: interpolated, or the nearest candle."
    )


class Scalogram(AbstractEncoding):
    """One scalogram per series. A series that does not move in its window is 0 everywhere.

    Continuous and differentiable, in decibels down to the floor of the range; where W is 0 the gradient of the
    magnitude is 0. Windows of float32 are computed in float32; what a CPU, an exported graph and a GPU make of them
    differs by 1e-6, in decibels of a range of 40 by 1e-5, of 80 by 3e-4 (random walks of 256 candles).

    Attributes:
        periods: of the rows from the top, in candles.
        cone_of_influence: how far the reflection reaches into the rows from either end, in candles.
    """

    def __init__(self, config: Config, length: int) -> None:
        super().__init__()
        check_length("scalogram", length)
        longest = max(length / 3, 2.0 * config.shortest) if config.longest is None else config.longest
        _check(config.shortest, longest, length)
        self.config = config
        self.length, self.channels = length, len(config.series)
        self.height = config.height
        self.width = length if config.width is None else config.width
        ends = math.log10(config.shortest), math.log10(longest)
        period_S = torch.logspace(*ends, config.height, dtype=torch.float64)
        scale_S = period_S / _period_of_scale_1(config)
        self.periods: tuple[float, ...] = tuple(period_S.tolist())
        self.cone_of_influence: tuple[float, ...] = tuple((math.sqrt(2.0) * scale_S).tolist())

        place = torch.arange(length)
        # Whole turns are taken off while they are still whole numbers.
        angle_KT = (place[:, None] * place % (2 * (length - 1))).double() * (math.pi / (length - 1))
        # In a period of the reflected line the two ends of the window stand once, everything between them twice.
        weight = torch.full((length,), 2.0, dtype=torch.float64)
        weight[0] = weight[-1] = 1.0
        analysis_TK = (angle_KT.cos() * weight).T.contiguous()
        self.parts = 1 if config.wavelet == "ricker" else 2
        response_PSK = torch.stack([_response(config, scale, length) for scale in scale_S.tolist()], dim=1)
        response_PSK = response_PSK[: 1 if config.wavelet == "ricker" else 2] * (weight / (2 * (length - 1)))
        waves_PKT = torch.stack([angle_KT.cos(), angle_KT.sin()])[: len(response_PSK)].contiguous()
        # Double buffers would not go on every device: what is not of windows of float64 is float32.
        self._double = {"analysis": analysis_TK, "responses": response_PSK, "waves": waves_PKT}
        for name, constants in self._double.items():
            self.register_buffer(name, constants.float(), persistent=False)
        self.groups = [(int(rows[0]), int(rows[-1]) + 1) for rows in torch.arange(config.height).chunk(GROUPS)]
        self.bands = [_band(response_PSK[:, first:end]) for first, end in self.groups]
        self.resize = Resize((self.height, length), (self.height, self.width), config.resampling)
        self.plans, self.scratch = self._plans(), Scratch()

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Encode; see `AbstractEncoding`."""
        check_window(window_BTF, self.length)
        if takes_kernel(window_BTF):
            return drawn(self, window_BTF)
        with full_precision(window_BTF):
            x_N1T = centred(window_BTF, self.config.series).flatten(0, 1)[:, None]
            analysis = self._constants("analysis", x_N1T)
            x_N1K = torch.matmul(x_N1T, analysis)
            power_NST = torch.cat([self._power(x_N1K, i) for i in range(len(self.groups))], dim=1)
            power_BCST = power_NST.reshape(-1, self.channels, self.height, self.length)
            image: Tensor = self.resize(intensities(power_BCST, self.config.intensity, self.config.range_db))
            return image

    def draw(self, window_BTF: Tensor, image_BCHW: Tensor) -> None:
        """Encode into memory that is there; see `Draws`."""
        image, plan = as_array(image_BCHW.flatten(0, 1)), self.plans[window_BTF.dtype]
        scales, length = self.height, self.length
        shapes = plan[0].shape[1:], (2, 2, (length + 1) // 2), (scales, length), (scales, self.width)
        wanted = tuple((shape, window_BTF.dtype) for shape in shapes)
        with centred_rows(self.scratch, window_BTF, self.config.series, window_BTF.dtype) as series:

            def share(first: int, end: int) -> None:
                with self.scratch.lend(*wanted) as memory:
                    draw_scalograms(first, end, series, image, tuple(memory), *plan)

            run_shared(share, len(series), grain=-(-GRAIN_PRODUCTS // (scales * length * length)))

    def _plans(self) -> dict[torch.dtype, tuple[Any, ...]]:
        """What the kernel wants to know besides the series, by the precision of the windows."""
        halves = -(-self.length // (2 * ROWS)) * ROWS  # of the frequencies, rounded up
        place = np.concatenate([np.arange(0, self.length, 2) // 2, halves + np.arange(1, self.length, 2) // 2])
        before = np.concatenate([np.arange(0, self.length, 2), np.arange(1, self.length, 2)])
        responses, analysis, waves = (as_array(self._double[name]) for name in BUFFERS)
        # Even waves and then odd ones, each filled up with waves of which nothing is held.
        analyses, answers = np.zeros((self.length, 2 * halves)), np.zeros((*responses.shape[:2], 2 * halves))
        half_waves = np.zeros((self.parts, 2 * halves, (self.length + 1) // 2))
        analyses[:, place], answers[:, :, place] = analysis[:, before], responses[:, :, before]
        half_waves[:, place] = waves[:, before, : half_waves.shape[2]]
        # Of two scales together.
        firsts = [min(s, self.height - 2) for s in range(0, self.height, 2)]
        bands = [_band(self._double["responses"][:, s : s + 2]) for s in firsts]
        starts = (0, halves)
        ends = [[(o + k // (2 * ROWS) * ROWS, o + -(-m // (2 * ROWS)) * ROWS) for o in starts] for k, m in bands]
        products = analyses, answers, half_waves
        bands_and_kind = (
            np.array(ends, dtype=np.int64).reshape(-1, 4),
            KINDS[self.config.intensity],
            10.0 ** (-self.config.range_db / 10.0),
        )
        taps = [
            Taps.of(self.resize.get_buffer(side), changes)
            for side, changes in zip(("rows", "columns"), self.resize.changes, strict=True)
        ]
        single = (array.astype(np.float32) for array in products)
        return {
            torch.float64: (*products, *bands_and_kind, *taps),
            torch.float32: (*single, *bands_and_kind, *(tap.in_single_precision() for tap in taps)),
        }

    def pixel_map(self) -> PixelMap:
        shape = self.channels, self.height, self.width
        names = tuple(f"{period:.3g} candles a swing" for period in self.periods)
        axis = PixelAxis(kind="frequency", weights=by_row(np.eye(self.height), shape), names=names)
        candles = by_column(self.resize.shares("columns").T.cpu().numpy(), shape)
        return PixelMap(shape=shape, candles=candles, axes=(axis,))

    def _constants(self, name: str, like: Tensor) -> Tensor:
        """In the precision and on the device of the series."""
        return self._double[name].to(like.device) if like.dtype == torch.float64 else self.get_buffer(name)

    def _power(self, x_N1K: Tensor, i: int) -> Tensor:
        """|W|^2 of a group of scales, shape (batch times series, scales of the group, time)."""
        (top, bottom), (first, end) = self.groups[i], self.bands[i]
        responses_PSK = self._constants("responses", x_N1K)[:, top:bottom, first:end]
        waves_PKT = self._constants("waves", x_N1K)[:, first:end]
        held_N1K = x_N1K[..., first:end]
        parts = [torch.matmul(held_N1K * responses_PSK[p], waves_PKT[p]) for p in range(len(responses_PSK))]
        return parts[0] * parts[0] if len(parts) == 1 else parts[0] * parts[0] + parts[1] * parts[1]


def build(config: Config, length: int) -> AbstractEncoding:
    """The encoding for windows of `length` candles. Raises RecipeError when periods do not rise or are too long."""
    return Scalogram(config, length)


def _check(shortest: float, longest: float, length: int) -> None:
    if longest <= shortest:
        raise RecipeError(
            f"scalogram: the longest period of {longest:g} candles is not longer than the shortest of {shortest:g}.",
            remedy="Raise longest or lower shortest.",
        )
    if longest > 2 * length:
        raise RecipeError(
            f"scalogram: a period of {longest:g} candles cannot be seen in a window of {length}.",
            remedy=f"Set longest to {2 * length} or less (better a third of the window), or lengthen the window.",
        )


def _band(response_PSK: Tensor) -> tuple[int, int]:
    """The first frequency that these scales hold, and the one after the last."""
    strength_K = response_PSK.abs().amax(dim=(0, 1))
    held = torch.nonzero(strength_K > FAINT * strength_K.max())[:, 0]
    return int(held[0]), int(held[-1]) + 1


def _period_of_scale_1(config: Config) -> float:
    """Period in candles of the swing that the wavelet of scale 1 resembles most."""
    if config.wavelet == "ricker":
        return 2.0 * math.pi / math.sqrt(2.5)
    return 4.0 * math.pi / (config.cycles + math.sqrt(2.0 + config.cycles**2))


def _response(config: Config, scale: float, length: int) -> Tensor:
    """What a wavelet makes of the cosines of the reflected line, float64 of shape (2, K).

    The cosine of k half turns in the window becomes a cosine of the first amount plus i times a sine of the second.
    """
    reach = math.ceil(REACH * scale)
    place = torch.arange(-reach, reach + 1)
    v = place.double() / scale
    bell = torch.exp(-0.5 * v * v) / (math.sqrt(scale) * math.pi**0.25)
    if config.wavelet == "ricker":
        wave = (2.0 / math.sqrt(3.0) * (1.0 - v * v) * bell).to(torch.complex128)
    else:
        rest = math.exp(-0.5 * config.cycles**2)  # without it the wavelet would see the mean of what it covers
        wave = torch.complex(torch.cos(config.cycles * v) - rest, torch.sin(config.cycles * v)) * bell
    period = 2 * (length - 1)
    folded = torch.zeros(period, dtype=torch.complex128).index_add_(0, place % period, wave)
    spectrum = torch.fft.fft(folded).real  # the wavelet turned round is its own conjugate, so this is real
    forward, backward = spectrum[:length], spectrum[-torch.arange(length) % period]
    return torch.stack([forward + backward, forward - backward]) / 2.0
