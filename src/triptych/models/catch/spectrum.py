"""From windows to the bands of their spectrum, and from bands back to a spectrum.

Letters: B windows, T rows, C channels, K = T // 2 + 1 frequency bins, P bands, S bins of a band.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def count_bands(bins: int, size: int, stride: int) -> int:
    """How many bands of `size` bins, `stride` apart, cover all `bins`; the last may reach beyond the end."""
    return max(0, -(-(bins - size) // stride)) + 1


class AbstractSpectrum(nn.Module, ABC):
    """How windows become bands.

    Attributes:
        bins: numbers of the spectrum of one channel, K.
        bands: how many bands it is cut into, P.
        size: bins of a band, S.
    """

    bins: int
    bands: int
    size: int

    @abstractmethod
    def transform(self, z_BTC: Tensor) -> tuple[Tensor, Tensor]:
        """Real and imaginary parts of the transform of windows along time, each (B, C, K)."""

    @abstractmethod
    def split(self, real_BCK: Tensor, imaginary_BCK: Tensor) -> Tensor:
        """The bands, (B, P, C, 2 S): real parts, then imaginary parts."""

    @abstractmethod
    def join(self, bands_BPCS: Tensor) -> Tensor:
        """One part of the spectrum, (B, C, K), from that part of its bands: the mean where bands overlap."""


def joining(index: NDArray[np.int64], bins: int) -> Tensor:
    """The matrix of `join`, (P, S, K), for bands whose places are the bins `index`, (P, S); others than 0 .. K - 1 are
    left out, and bins in no band become 0.
    """
    inside = index < bins
    cover = np.bincount(index[inside], minlength=bins)
    matrix = np.zeros((*index.shape, bins), dtype=np.float32)
    band, place = np.nonzero(inside)
    matrix[band, place, index[inside]] = 1.0 / cover[index[inside]]
    return torch.from_numpy(matrix)


class Spectrum(AbstractSpectrum):
    """The unitary transform of real windows (only bins 0 .. T/2: the others are their mirror image) and its bands.

    Every bin lies in at least one band: the spectrum is padded with zeros where the last band reaches beyond it.
    """

    _index: Tensor
    _inside: Tensor
    _join: Tensor
    _waves: Tensor

    def __init__(self, length: int, size: int, stride: int) -> None:
        super().__init__()
        self.length = length
        self.bins = length // 2 + 1
        self.bands = count_bands(self.bins, size, stride)
        self.size = size
        index = np.arange(self.bands)[:, None] * stride + np.arange(size)
        inside = index < self.bins
        angle = -2.0 * np.pi * np.outer(np.arange(length), np.arange(self.bins)) / length
        waves = np.exp(1j * angle) / np.sqrt(length)
        for name, values in (
            ("_index", np.minimum(index, self.bins - 1)),
            ("_inside", inside.astype(np.float32)),
            ("_waves", np.concatenate([waves.real, waves.imag], axis=1).astype(np.float32)),
        ):
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)), persistent=False)
        self.register_buffer("_join", joining(index, self.bins), persistent=False)

    def transform(self, z_BTC: Tensor) -> tuple[Tensor, Tensor]:
        z_BCT = z_BTC.transpose(1, 2)
        if torch.compiler.is_exporting():  # graphs hold no complex numbers
            both = z_BCT @ self._waves.to(z_BCT.dtype)
            return both[..., : self.bins], both[..., self.bins :]
        spectrum = torch.fft.rfft(z_BCT, norm="ortho")
        return spectrum.real, spectrum.imag

    def split(self, real_BCK: Tensor, imaginary_BCK: Tensor) -> Tensor:
        inside = self._inside.to(real_BCK.dtype)
        parts = [part[..., self._index] * inside for part in (real_BCK, imaginary_BCK)]
        return torch.cat(parts, dim=-1).transpose(1, 2)

    def join(self, bands_BPCS: Tensor) -> Tensor:
        return torch.einsum("bpcs,psk->bck", bands_BPCS, self._join.to(bands_BPCS.dtype))
