"""What teaches the mask: channels that resemble one another belong together, and no more than needed.

Letters: N bands of all windows, H heads, C channels, D numbers of a head. Paper: section 3.4.
"""

from __future__ import annotations

import torch
from torch import Tensor


def channel_cosines(q_NHCD: Tensor, k_NHCD: Tensor) -> Tensor:
    """Cosine of each query with each key, the mean over heads, (N, C, C). Complex ones: its real part."""
    q, k = (x / torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_min(1e-12) for x in (q_NHCD, k_NHCD))
    cosines = q @ k.conj().transpose(-1, -2)
    real: Tensor = cosines.real if cosines.is_complex() else cosines
    return real.mean(dim=1)


def clustering_loss(cosines_NCC: Tensor, mask_NCC: Tensor, temperature: float) -> Tensor:
    """Minus the mean log share of similarity that the mask leaves open; 0 for a mask of ones."""
    share = (torch.softmax(cosines_NCC / temperature, dim=-1) * mask_NCC).sum(dim=-1)
    return -share.clamp_min(1e-12).log().mean()


def regular_loss(mask_NCC: Tensor) -> Tensor:
    """Share of open pairs of different channels; 0 for the identity and for one channel alone."""
    channels = mask_NCC.shape[-1]
    if channels == 1:
        return mask_NCC.new_zeros(())
    off_diagonal = (torch.eye(channels, dtype=mask_NCC.dtype, device=mask_NCC.device) - mask_NCC).abs()
    return off_diagonal.sum(dim=(-1, -2)).mean() / (channels * (channels - 1))
