"""Each channel as the others foretell it, band by band: what is left shows two channels that have come apart.

The best linear prediction of one channel's spectrum from the spectra of the others at the same frequency (Wiener) needs
nothing but the inverse of the cross-spectral matrix: with precision matrix P, the residual of channel i is
sum_j P_ij Z_j / P_ii. The prediction of a channel never sees the channel.

Letters: B windows, T rows, C channels, K = T // 2 + 1 bins, G groups of bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triptych.models.catch.normalisation import normalise

_RIDGE = 0.02  # share of a group's mean power added to the diagonal: keeps copies of a channel invertible


class CrossChannelFilter:
    """Residuals of every channel given the others.

    Attributes:
        filters: complex64 (K, C, C): what makes residuals of the spectra at each bin; its diagonal is 1.
    """

    def __init__(self, filters: NDArray[np.complex64]) -> None:
        self.filters = filters
        self._filters = torch.from_numpy(np.ascontiguousarray(filters))

    @classmethod
    def learn(cls, windows: Sequence[NDArray[np.float32]], length: int, groups: int) -> CrossChannelFilter:
        """Estimate from batches of windows, each (n, T, C). The bins of a group share their matrix."""
        channels = windows[0].shape[2]
        total = np.zeros((length // 2 + 1, channels, channels), dtype=np.complex128)
        for batch in windows:
            spectrum = _spectrum(torch.from_numpy(np.ascontiguousarray(batch))).numpy().astype(np.complex128)
            total += np.einsum("bkc,bkd->kcd", spectrum, spectrum.conj())
        edges = np.unique(np.round(np.linspace(0, len(total), groups + 1)).astype(int))
        filters = np.empty(total.shape, dtype=np.complex64)
        for first, end in pairwise(edges):
            matrix = total[first:end].sum(axis=0)
            power = max(float(np.trace(matrix).real) / channels, 1e-12)
            precision = np.linalg.inv(matrix / power + _RIDGE * np.eye(channels))
            filters[first:end] = precision / np.diagonal(precision)[:, None]
        return cls(filters)

    def residual(self, x_BTC: Tensor) -> Tensor:
        """What the other channels do not foretell of each channel of the normalised windows, (B, T, C)."""
        spectrum = torch.einsum("bkd,kcd->bkc", _spectrum(x_BTC), self._filters)
        residual: Tensor = torch.fft.irfft(spectrum, n=x_BTC.shape[1], dim=1, norm="ortho")
        return residual


def _spectrum(x_BTC: Tensor) -> Tensor:
    z_BTC, _ = normalise(x_BTC)
    spectrum: Tensor = torch.fft.rfft(z_BTC, dim=1, norm="ortho")
    return spectrum
