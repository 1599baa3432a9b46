"""Parts as the authors' code has them, each by itself, so that an ablation can tell what a repair is worth.

`Config.reference_choices` names them; those of the masks stand in `ChannelMaskGenerator`.

Letters: B windows, T rows, C channels, K bins, P bands, S bins of a band, N bands of all windows, W numbers of a token.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from triptych.models.catch.attention import ChannelMaskedAttention
from triptych.models.catch.spectrum import AbstractSpectrum, joining

_CLOSED = -math.log(1e10)


class FullSpectrum(AbstractSpectrum):
    """The transform of all T bins, the mirrored half included, unscaled; bins behind the last whole band are lost."""

    _join: Tensor

    def __init__(self, length: int, size: int, stride: int) -> None:
        super().__init__()
        self.length, self.size, self._stride = length, size, stride
        self.bins = length
        self.bands = (length - size) // stride + 1
        index = np.arange(self.bands)[:, None] * stride + np.arange(size)
        self.register_buffer("_join", joining(index, length), persistent=False)

    def transform(self, z_BTC: Tensor) -> tuple[Tensor, Tensor]:
        spectrum = torch.fft.fft(z_BTC.transpose(1, 2))
        return spectrum.real, spectrum.imag

    def split(self, real_BCK: Tensor, imaginary_BCK: Tensor) -> Tensor:
        parts = [part.unfold(-1, self.size, self._stride) for part in (real_BCK, imaginary_BCK)]
        return torch.cat(parts, dim=-1).transpose(1, 2)

    def join(self, bands_BPCS: Tensor) -> Tensor:
        return torch.einsum("bpcs,psk->bck", bands_BPCS, self._join.to(bands_BPCS.dtype))


class LeakingAttention(ChannelMaskedAttention):
    """A closed pair has its score replaced by -ln 1e10 before the division by the root of the head size."""

    def attend(self, q_NHCD: Tensor, k_NHCD: Tensor, v_NHCD: Tensor, mask_NHCC: Tensor) -> Tensor:
        """The average, in which closed pairs weigh e^(-23.03 / sqrt(D)) of an open pair with score 0."""
        scores = q_NHCD @ k_NHCD.transpose(-1, -2)
        closed = torch.where(mask_NHCC == 0, _CLOSED, 0.0)
        scores = scores * mask_NHCC + closed
        return torch.softmax(scores / q_NHCD.shape[-1] ** 0.5, dim=-1) @ v_NHCD


class _DenseHead(nn.Module):
    """Three residual layers over all bands of a channel at once, then a linear one to K numbers."""

    def __init__(self, numbers: int, bins: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(numbers, numbers) for _ in range(3))
        self.out = nn.Linear(numbers, bins)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = F.relu(layer(x)) + x
        out: Tensor = self.out(x)
        return out


class DenseHeads(nn.Module):
    """Tokens (B, P, C, W) to real and imaginary parts, each (B, C, K), by two dense heads: 210 M weights by default."""

    def __init__(self, bands: int, width: int, bins: int) -> None:
        super().__init__()
        self.project_real = nn.Linear(width, width)
        self.project_imaginary = nn.Linear(width, width)
        self.real = _DenseHead(bands * width, bins)
        self.imaginary = _DenseHead(bands * width, bins)

    def forward(self, tokens_BPCW: Tensor) -> tuple[Tensor, Tensor]:
        flat = [
            project(tokens_BPCW).transpose(1, 2).flatten(2) for project in (self.project_real, self.project_imaginary)
        ]
        return self.real(flat[0]), self.imaginary(flat[1])


class ComplexInverse(nn.Module):
    """The inverse transform of all T bins, then a linear layer over its real and imaginary parts."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.mix = nn.Linear(2 * length, length)

    def forward(self, real_BCT: Tensor, imaginary_BCT: Tensor, *, last: int = 0) -> Tensor:
        """The windows, (B, T, C); with `last` only so many rows of their ends."""
        if real_BCT.dtype in (torch.bfloat16, torch.float16):  # under autocast: no complex numbers are that short
            real_BCT, imaginary_BCT = real_BCT.float(), imaginary_BCT.float()
        z = torch.fft.ifft(torch.complex(real_BCT, imaginary_BCT))
        out: Tensor = self.mix(torch.cat([z.real, z.imag], dim=-1))
        return out.transpose(1, 2)[:, -last:]
