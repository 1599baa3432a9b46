"""From the tokens of the bands back to the spectrum, and from the spectrum back to the window.

A dense head over all bands at once, as the reference has it, needs (bands x width)^2 weights for each of its layers.
Here a layer is applied to each band by itself with the same weights, a thin matrix carries what bands tell each other,
and only the last step, from a token to the bins of its band, has weights for each band.

Letters: B windows, P bands, C channels, W numbers of a token, S bins of a band, K bins, T rows, R rank.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from triptych.models.catch.spectrum import AbstractSpectrum


class _Layer(nn.Module):
    """A residual layer within each band and a residual mixing across bands; the mixing begins as none."""

    def __init__(self, bands: int, width: int, rank: int) -> None:
        super().__init__()
        self.expand = nn.Linear(width, width)
        self.contract = nn.Linear(width, width)
        self.down_RP = nn.Parameter(torch.randn(rank, bands) / bands**0.5) if rank else None
        self.up_PR = nn.Parameter(torch.zeros(bands, rank)) if rank else None

    def forward(self, x_BPCW: Tensor) -> Tensor:
        x: Tensor = x_BPCW + self.contract(F.relu(self.expand(x_BPCW)))
        if self.down_RP is not None and self.up_PR is not None:
            x = x + torch.einsum("qp,bpcw->bqcw", self.up_PR @ self.down_RP, x)
        return x


class _Part(nn.Module):
    """One part of the spectrum, real or imaginary: tokens in, bins of each band out."""

    def __init__(self, bands: int, width: int, size: int, layers: int, rank: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, width)
        self.layers = nn.Sequential(*(_Layer(bands, width, rank) for _ in range(layers)))
        self.decode_PWS = nn.Parameter(torch.randn(bands, width, size) / width**0.5)
        self.bias_PS = nn.Parameter(torch.zeros(bands, size))

    def forward(self, x_BPCW: Tensor) -> Tensor:
        x = self.layers(self.project(x_BPCW))
        return torch.einsum("bpcw,pws->bpcs", x, self.decode_PWS) + self.bias_PS[:, None]


class FactoredHeads(nn.Module):
    """Tokens (B, P, C, W) to real and imaginary parts of the spectrum, each (B, C, K)."""

    def __init__(self, spectrum: AbstractSpectrum, width: int, layers: int, rank: int) -> None:
        super().__init__()
        self._spectrum = [spectrum]  # in a list: it belongs to the network, which registers it
        self.real = _Part(spectrum.bands, width, spectrum.size, layers, rank)
        self.imaginary = _Part(spectrum.bands, width, spectrum.size, layers, rank)

    def forward(self, tokens_BPCW: Tensor) -> tuple[Tensor, Tensor]:
        (spectrum,) = self._spectrum
        return spectrum.join(self.real(tokens_BPCW)), spectrum.join(self.imaginary(tokens_BPCW))


class InverseTransform(nn.Module):
    """The unitary inverse transform and a linear layer over time that begins as the identity.

    Both are linear, so they are one matrix of shape (2 K, T).
    """

    _inverse: Tensor

    def __init__(self, length: int) -> None:
        super().__init__()
        self.mix = nn.Linear(length, length)
        with torch.no_grad():
            self.mix.weight.copy_(torch.eye(length))
            self.mix.bias.zero_()
        bins = length // 2 + 1
        unit = torch.eye(bins, dtype=torch.float64)
        rows = [torch.fft.irfft(unit.to(torch.complex128) * f, n=length, norm="ortho") for f in (1.0, 1.0j)]
        self.register_buffer("_inverse", torch.cat(rows).float(), persistent=False)

    def folded(self, last: int = 0) -> Tensor:
        """Inverse transform and linear layer as one matrix, (2 K, T); with `last` only so many columns of its end."""
        return self._inverse.to(self.mix.weight.dtype) @ self.mix.weight[-last:].T

    def forward(self, real_BCK: Tensor, imaginary_BCK: Tensor, *, last: int = 0) -> Tensor:
        """The windows, (B, T, C); with `last` only so many rows of their ends."""
        both = torch.cat([real_BCK, imaginary_BCK], dim=-1)
        return (both @ self.folded(last) + self.mix.bias[-last:]).transpose(1, 2)
