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
    values_BN = _spectral_error(error_BTC.unfold(1, size, stride))
    begun, ended = _covering(values_BN.shape[1], size, stride, values_BN.device)
    total = torch.nn.functional.pad(values_BN.cumsum(dim=1, dtype=torch.float64), (1, 0))
    sums = total.index_select(1, begun) - total.index_select(1, ended)
    spectral = (sums / (begun - ended)).clamp_min(0.0).to(values_BN.dtype)
    covered = spectral.shape[1]
    if covered < length:
        rest = _spectral_error(error_BTC[:, covered:].transpose(1, 2)[:, None])
        spectral = torch.cat([spectral, rest.expand(-1, length - covered)], dim=1)
    return (error_BTC * error_BTC).sum(dim=2) / error_BTC.shape[2] + weight * spectral


@lru_cache(maxsize=8)
def _covering(count: int, size: int, stride: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """How many of `count` sub-windows have begun at each row that one covers, and how many have ended before it."""
    row = np.arange(size + (count - 1) * stride)
    begun, ended = np.minimum(row // stride + 1, count), np.maximum((row - size) // stride + 1, 0)
    with torch.inference_mode(False):
        return torch.from_numpy(begun).to(device), torch.from_numpy(ended).to(device)


def _spectral_error(parts_BNCS: Tensor) -> Tensor:
    """Mean modulus of the unscaled transform over all S bins and the channels, (B, N)."""
    size = parts_BNCS.shape[-1]
    if size > _SHORT:
        modulus = torch.fft.rfft(parts_BNCS, dim=-1).abs()
        share = _share_of_bins(size)
        return (modulus @ torch.from_numpy(share).to(modulus)).mean(dim=-1)
    # Bins outermost: rows are copied in long runs, and real and imaginary parts are two whole pieces of memory.
    parts_SX = parts_BNCS.permute(3, 0, 1, 2).reshape(size, -1)
    # The product is worked on in place, since fresh memory costs more than the arithmetic.
    real_KX, imaginary_KX = (_waves(size, parts_SX.dtype, parts_SX.device) @ parts_SX).square_().chunk(2)
    return real_KX.add_(imaginary_KX).sqrt_().sum(dim=0).view(parts_BNCS.shape[:3]).mean(dim=2)


def _share_of_bins(size: int) -> NDArray[np.float64]:
    """What each of the size // 2 + 1 bins counts in the mean over all; the mirrored ones count twice."""
    share = np.full(size // 2 + 1, 2.0 / size)
    share[0] = 1.0 / size
    if size % 2 == 0:
        share[-1] = 1.0 / size
    return share


@lru_cache(maxsize=8)
def _waves(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The real transform as a matrix, (2 K, S): real parts, then imaginary parts, each bin times its share."""
    angle = 2.0 * np.pi * np.outer(np.arange(size // 2 + 1), np.arange(size)) / size
    share = _share_of_bins(size)[:, None]
    with torch.inference_mode(False):
        return torch.from_numpy(np.concatenate([share * np.cos(angle), -share * np.sin(angle)])).to(device, dtype)
