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
from numpy.typing import NDArray
from torch import Tensor

from triptych.domain.errors import DataError

_SHORT = 128  # rows of a sub-window up to which a product with a matrix of waves is faster than the fast transform


def reference_score(error_BTC: Tensor, *, size: int = 32, stride: int = 1, weight: float = 0.05) -> Tensor:
    """Mean squared error of each row plus `weight` times its mean spectral error, (B, T).

    Rows behind the last sub-window are scored by a sub-window of their own, as the reference does.

    Raises DataError when a sub-window is longer than the window, or when rows would lie between two of them.
    """
    length = error_BTC.shape[1]
    if not 1 <= size <= length:
        raise DataError(f"A sub-window has 1 to {length} rows, was {size}.")
    if not 1 <= stride <= size:
        raise DataError(f"A sub-window begins 1 to {size} rows behind the one before, was {stride}.")
    error_CBT = error_BTC.permute(2, 0, 1).contiguous()  # sums over channels then add up long rows
    values_BN = _spectral_error(error_CBT, size, stride)
    begun, ended, count = _covering(values_BN.shape[1], size, stride, values_BN.device)
    total = torch.nn.functional.pad(values_BN.cumsum(dim=1, dtype=torch.float64), (1, 0))
    sums = total.index_select(1, begun).sub_(total.index_select(1, ended))
    spectral = sums.div_(count).clamp_min_(0.0).to(values_BN.dtype)
    covered = spectral.shape[1]
    if covered < length:
        rest = _spectral_error(error_CBT[..., covered:], length - covered, 1)
        spectral = torch.cat([spectral, rest.expand(-1, length - covered)], dim=1)
    return error_CBT.square().mean(dim=0).add_(spectral, alpha=weight)


@lru_cache(maxsize=8)
def _covering(parts: int, size: int, stride: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """How many of the sub-windows have begun at each row that one covers, how many ended before it, and the rest."""
    row = np.arange(size + (parts - 1) * stride)
    begun, ended = np.minimum(row // stride + 1, parts), np.maximum((row - size) // stride + 1, 0)
    with torch.inference_mode(False):
        found = [torch.from_numpy(one).to(device) for one in (begun, ended, (begun - ended).astype(np.float64))]
    return found[0], found[1], found[2]


def _spectral_error(error_CBT: Tensor, size: int, stride: int) -> Tensor:
    """Mean modulus of the unscaled transform of each sub-window, over all its bins and the channels, (B, N)."""
    if size > _SHORT:
        modulus = torch.fft.rfft(error_CBT.unfold(2, size, stride), dim=-1).abs()
        mean_CBN: Tensor = modulus @ torch.from_numpy(_share_of_bins(size)).to(modulus)
        return mean_CBN.mean(dim=0)
    waves = _waves(size, error_CBT.dtype, error_CBT.device)
    if size % 2:
        return _moduli(error_CBT, stride, waves[0]).div_(len(error_CBT))
    # Even bins see nothing but sums of rows that lie half a sub-window apart, odd ones nothing but differences.
    early, late = error_CBT[..., : -(size // 2)], error_CBT[..., size // 2 :]
    moduli = _moduli(early + late, stride, waves[0]).add_(_moduli(early - late, stride, waves[1]))
    return moduli.div_(len(error_CBT))


def _moduli(rows_CBT: Tensor, stride: int, waves_KS: Tensor) -> Tensor:
    """Sum over channels and bins of the moduli in each sub-window of S rows, (B, N)."""
    size = waves_KS.shape[1]
    parts_CBNS = rows_CBT.unfold(2, size, stride)
    # Bins outermost: rows are copied in long runs, and real and imaginary parts are two whole pieces of memory. The
    # product is worked on in place, since fresh memory costs more than the arithmetic.
    parts_SX = parts_CBNS.permute(3, 0, 1, 2).reshape(size, -1)
    real_KX, imaginary_KX = (waves_KS @ parts_SX).square_().chunk(2)
    moduli = real_KX.add_(imaginary_KX).sqrt_()
    return moduli.view(-1, *parts_CBNS.shape[1:3]).sum(dim=0)


def _share_of_bins(size: int) -> NDArray[np.float64]:
    """What each of the size // 2 + 1 bins counts in the mean over all; the mirrored ones count twice."""
    share = np.full(size // 2 + 1, 2.0 / size)
    share[0] = 1.0 / size
    if size % 2 == 0:
        share[-1] = 1.0 / size
    return share


@lru_cache(maxsize=8)
def _waves(size: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """The real transform as matrices (2 K, S): real parts, then imaginary parts, each bin times its share.

    One matrix for odd sizes; for even ones two of half as many rows, that of even and that of odd bins.
    """
    parts = 2 - size % 2
    made = []
    for first in range(parts):
        bins = np.arange(first, size // 2 + 1, parts)
        angle = 2.0 * np.pi * np.outer(bins, np.arange(size // parts)) / size
        share = _share_of_bins(size)[bins, None]
        made.append(np.concatenate([share * np.cos(angle), -share * np.sin(angle)]))
    with torch.inference_mode(False):
        return tuple(torch.from_numpy(one).to(device, dtype) for one in made)
