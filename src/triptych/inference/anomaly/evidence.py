"""What the last rows of a window say against each channel, before calibration.

All kinds look at the last rows of windows of T rows, so that a batch of a history's windows and a stream that keeps
the last T rows compute the same. Letters: B windows, T rows, C channels, Q rows in focus, K frequency bins of Q rows,
G groups of bins.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

FORETOLD = ("error", "drift", "turmoil")
"""Kinds of `foretold`."""
_FARTHEST = 6.0  # scales at which an error is clipped before it is averaged
_FLOOR = 1e-6  # of energies in squared deviations: a frozen channel has one, so that its logarithm exists


def group_edges(focus: int, groups: int) -> tuple[int, ...]:
    """First bin of each group and the end: bins 0 .. focus // 2 in groups that are about as wide as one another."""
    bins = focus // 2 + 1
    edges = np.unique(np.round(np.linspace(0, bins, groups + 1)).astype(int))
    return tuple(edges.tolist())


def band_names(focus: int, groups: int) -> tuple[str, ...]:
    """Names of the groups by the lengths of their waves in rows, such as "waves of 2 to 3 rows"."""
    edges = group_edges(focus, groups)
    names = []
    for first, end in pairwise(edges):
        longest = "all" if first == 0 else f"{focus / first:.3g}"
        names.append(f"waves of {focus / (end - 1) if end > 1 else focus:.3g} to {longest} rows")
    return tuple(names)


def band_energies(error_BQC: Tensor, edges: tuple[int, ...]) -> Tensor:
    """Log energy of an error in each group of frequency bins, (B, C, G): one real transform of the error.

    The transform is linear, so the transform of the error is the difference of the spectra of window and
    reconstruction; and by Parseval's theorem the energies of all bins sum to the squared error.
    """
    rows = error_BQC.shape[1]
    # Double precision and a sum for each group: differences of running sums would leave quiet groups to rounding.
    spectrum = torch.fft.rfft(error_BQC.double(), dim=1, norm="ortho")
    power = spectrum.real.square() + spectrum.imag.square()
    weight = torch.full((power.shape[1],), 2.0, dtype=power.dtype, device=power.device)  # mirrored bins count too
    weight[0] = 1.0
    if rows % 2 == 0:
        weight[-1] = 1.0
    power = power * weight[:, None]
    sums = torch.stack([power[:, a:b].sum(dim=1) for a, b in pairwise(edges)], -1)
    return torch.log(sums / rows + _FLOOR)


def foretold(x_BTC: Tensor, told_BFCM: Tensor, focus: int) -> Tensor:
    """What the errors of foretold rows say, in scales that were foretold too, (B, C, 3).

    - error: of the last row, signed.
    - drift: their mean over half of `focus`.
    - turmoil: logarithm of their mean square over a quarter of `focus`.

    `told_BFCM` holds mean and logarithm of the scale of the last F rows.
    """
    rows = told_BFCM.shape[1]
    z = (x_BTC[:, -rows:] - told_BFCM[..., 0]) * torch.exp(-told_BFCM[..., 1])
    near = z.clamp(-_FARTHEST, _FARTHEST)
    drift = near[:, -max(focus // 2, 2) :].mean(dim=1)
    turmoil = torch.log(near[:, -max(focus // 4, 2) :].square().mean(dim=1) + 1e-3)
    return torch.stack([z[:, -1], drift, turmoil], dim=-1)


def level(x_BQC: Tensor) -> Tensor:
    """Mean of the last rows outside any window's normalisation, signed, (B, C)."""
    return x_BQC.mean(dim=1)


def activity(x_BQC: Tensor) -> Tensor:
    """Log of the mean squared step from row to row, (B, C): low where a feed is frozen, high where it is restless."""
    return torch.log(torch.diff(x_BQC, dim=1).square().mean(dim=1) + _FLOOR)
