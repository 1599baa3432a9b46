"""Attention among channels with exact masks: a masked channel has the weight 0, not a small one.

Letters: N bands of all windows, C channels, E numbers of a token, H heads, D numbers of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_FEW = 32  # channels up to which a softmax written out is faster than the fused kernel, which is made for long rows
_LARGEST_EXPONENT = 20.0  # of closed pairs: their weight is 0 all the same, only their gradient would overflow


def masked_attention(q_NHCD: Tensor, k_NHCD: Tensor, v_NHCD: Tensor, mask_NHCC: Tensor) -> Tensor:
    """Values averaged by softmax over open pairs, (N, H, C, D).

    A mask that needs no gradient goes through the fused kernel. One that does is multiplied into the weights, which
    gives the same numbers and tells the mask also what a closed pair would have brought.

    Args:
        q_NHCD, k_NHCD, v_NHCD: queries, keys and values.
        mask_NHCC: 0 or 1, every row with at least one 1; H may be 1.
    """
    if not torch.is_grad_enabled() and q_NHCD.shape[2] <= _FEW:
        return _written_out(q_NHCD, k_NHCD, v_NHCD, mask_NHCC)
    if not mask_NHCC.requires_grad:
        return F.scaled_dot_product_attention(q_NHCD, k_NHCD, v_NHCD, attn_mask=mask_NHCC > 0.5)
    scores = q_NHCD @ k_NHCD.transpose(-1, -2) / q_NHCD.shape[-1] ** 0.5
    weights = masked_softmax(scores, mask_NHCC)
    return weights @ v_NHCD


def _written_out(q_NHCD: Tensor, k_NHCD: Tensor, v_NHCD: Tensor, mask_NHCC: Tensor) -> Tensor:
    """The masked average of few channels: the sums of a row's weights are divided out last."""
    scores = (q_NHCD @ k_NHCD.transpose(-1, -2) * q_NHCD.shape[-1] ** -0.5).masked_fill(mask_NHCC < 0.5, -torch.inf)
    weights = torch.exp(scores - scores.amax(dim=-1, keepdim=True))
    return weights @ v_NHCD / weights.sum(dim=-1, keepdim=True)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last dimension in which closed pairs (mask 0) have weight 0 and a gradient to their mask."""
    highest = scores.detach().masked_fill(mask.detach() < 0.5, -torch.inf).amax(dim=-1, keepdim=True)
    weights = torch.exp((scores - highest).clamp(max=_LARGEST_EXPONENT)) * mask
    return weights / weights.sum(dim=-1, keepdim=True)


def by_head(x_NCX: Tensor, heads: int) -> Tensor:
    """The numbers of each token shared out to heads, (N, H, C, X / H)."""
    return torch.unflatten(x_NCX, 2, (heads, -1)).transpose(1, 2)


class ChannelMaskedAttention(nn.Module):
    """Multi-head attention over the channels of one band."""

    def __init__(self, embedding: int, heads: int, head_size: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * head_size
        self.query = nn.Linear(embedding, inner)
        self.key = nn.Linear(embedding, inner)
        self.value = nn.Linear(embedding, inner)
        self.out = nn.Linear(inner, embedding)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_NCE: Tensor, mask_NHCC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What each channel gathers, (N, C, E), and queries and keys, (N, H, C, D), for the clustering loss."""
        q, k, v = (by_head(linear(x_NCE), self.heads) for linear in (self.query, self.key, self.value))
        gathered = self.attend(q, k, v, mask_NHCC).transpose(1, 2).flatten(2)
        out: Tensor = self.dropout(self.out(gathered))
        return out, q, k

    def attend(self, q_NHCD: Tensor, k_NHCD: Tensor, v_NHCD: Tensor, mask_NHCC: Tensor) -> Tensor:
        """The masked average, (N, H, C, D)."""
        return masked_attention(q_NHCD, k_NHCD, v_NHCD, mask_NHCC)
