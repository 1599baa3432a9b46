"""The reference's score of a reconstructed window, computed from the spectrum of the error.

It compares the complex spectra of window and reconstruction in sub-windows. The transform is linear, so one real
transform of the error gives all differences; the mirrored half of the bins counts twice; the mean over channels is
taken first; and the average over the sub-windows that cover a row is a difference of two cumulative sums. No tensor of
rows x sub-windows is built, a perfect sub-window counts like any other, and a perfect row scores 0.

Letters: B windows, T rows, C channels, N sub-windows, S rows of a sub-window.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from triptych.domain.errors import DataError

_SHORT = 128  # rows of a sub-window up to which a product with a matrix of waves is faster than the fast transform


def reference_score(error_BTC: Tensor, *, size: int = 32, stride: int = 1, weight: float = 0.05) -> Tensor:
    """Mean squared error of each row plus `weight` times its mean spectral error, (B, T).

    Rows behind the last sub-window are scored by a sub-window of their own, as the reference does.

    Raises DataError when a sub-window is longer than the window.
    """
    length = error_BTC.shape[1]
    if not 1 <= size <= length:
        raise DataError(f"A sub-window has 1 to {length} rows, was {size}.")
    parts = error_BTC.unfold(1, size, stride)  # (B, N, C, S)
    values = _spectral_error(parts)  # (B, N)
    covered = size + (parts.shape[1] - 1) * stride
    first = torch.arange(parts.shape[1], device=error_BTC.device) * stride
    # +value where a sub-window begins, -value behind its end: the running sum is the sum over those that cover a row.
    change = values.new_zeros(len(values), covered + 1)
    count = values.new_zeros(covered + 1)
    change.index_add_(1, first, values)
    change.index_add_(1, first + size, -values)
    ones = torch.ones_like(first, dtype=values.dtype)
    count.index_add_(0, first, ones)
    count.index_add_(0, first + size, -ones)
    average = torch.cumsum(change.double(), dim=1)[:, :covered] / torch.cumsum(count.double(), dim=0)[:covered]
    spectral = average.clamp_min(0.0).to(values.dtype)
    if covered < length:
        rest = _spectral_error(error_BTC[:, covered:].transpose(1, 2)[:, None])
        spectral = torch.cat([spectral, rest.expand(-1, length - covered)], dim=1)
    return error_BTC.square().mean(dim=2) + weight * spectral


def _spectral_error(parts_BNCS: Tensor) -> Tensor:
    """Mean modulus of the unscaled transform over all S bins and the channels, (B, N)."""
    size = parts_BNCS.shape[-1]
    bins = size // 2 + 1
    if size <= _SHORT:
        both = parts_BNCS.contiguous() @ _waves(size, parts_BNCS.dtype, parts_BNCS.device)  # views multiply slowly
        real, imaginary = both[..., :bins], both[..., bins:]
    else:
        spectrum = torch.fft.rfft(parts_BNCS, dim=-1)
        real, imaginary = spectrum.real, spectrum.imag
    modulus = real.square().addcmul(imaginary, imaginary).sqrt()
    weight = torch.full((bins,), 2.0 / size, dtype=modulus.dtype, device=modulus.device)  # mirrored bins count too
    weight[0] = 1.0 / size
    if size % 2 == 0:
        weight[-1] = 1.0 / size
    return (modulus @ weight).mean(dim=-1)


@lru_cache(maxsize=8)
def _waves(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The real transform as a matrix, (S, 2 K): real parts, then imaginary parts."""
    angle = 2.0 * np.pi * np.outer(np.arange(size), np.arange(size // 2 + 1)) / size
    both = np.concatenate([np.cos(angle), -np.sin(angle)], axis=1)
    with torch.inference_mode(False):
        return torch.from_numpy(both).to(dtype=dtype, device=device)
